/* SPDX-License-Identifier: MPL-2.0 */
//
// See link_options.hpp.
#include "link_options.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "text.hpp"

namespace vtx::cli {
namespace {

constexpr std::array<std::string_view, 12> kSocketTypes = {"push", "pull", "pub",    "sub",    "xpub", "xsub",
                                                           "req",  "rep",  "dealer", "router", "pair", "stream"};

std::string check_type(const std::string& given, const std::string& supported) {
  if (given == supported) return {};
  if (std::find(kSocketTypes.begin(), kSocketTypes.end(), given) == kSocketTypes.end())
    return "no socket type '" + given + "'; use " + supported;
  return "socket type '" + given + "' is not yet supported by this command; use " + supported;
}

}  // namespace

void LinkOptions::add_to(CLI::App& command, const std::string& supported) {
  type = supported;
  command.add_option("URI", endpoint, "The endpoint, as sqlite:///var/lib/app/q.db?queue=jobs")->required();
  command.add_option("--type", type, "Socket type: " + supported)->check([supported](const std::string& given) {
    return check_type(given, supported);
  });
  command.add_option("--format", format, "lines, records (paragraphs) or frames (length-prefixed, carries everything)")
      ->check(CLI::IsMember({"lines", "records", "frames"}))
      ->capture_default_str();
  auto* bind_flag = command.add_flag("--bind", bind, "Bind: this side's declarations (retain, limit) win");
  command.add_flag("--connect", connect, "Connect")->excludes(bind_flag);
}

Side LinkOptions::side(int socket_type) const {
  if (bind) return Side::bind;
  return connect ? Side::connect : default_side(endpoint, socket_type);
}

std::string check_time(const std::string& text) {
  return parse_time(text) ? "" : "'" + text + "' is no time; write it as 500ms, 2s, 1m or 1h";
}

}  // namespace vtx::cli
