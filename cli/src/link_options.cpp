/* SPDX-License-Identifier: MPL-2.0 */
//
// See link_options.hpp.
#include "link_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "endpoint_text.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

constexpr std::array<std::string_view, 12> kSocketTypes = {"push", "pull", "pub",    "sub",    "xpub", "xsub",
                                                           "req",  "rep",  "dealer", "router", "pair", "stream"};

std::string check_type(const std::string& given, const std::vector<std::string>& supported) {
  if (std::find(supported.begin(), supported.end(), given) != supported.end()) return {};
  const std::string remedy = fmt::format("use {}", fmt::join(supported, " or "));
  if (std::find(kSocketTypes.begin(), kSocketTypes.end(), given) == kSocketTypes.end())
    return fmt::format("no socket type '{}'; {}", given, remedy);
  return fmt::format("socket type '{}' is not for this command; {}", given, remedy);
}

}  // namespace

void LinkOptions::add_to(CLI::App& command, const std::vector<std::string>& types) {
  command.add_option("URI", endpoint, "The endpoint, as sqlite:///var/lib/app/q.db?queue=jobs")->required();
  add_type(command, type, types);
  add_format(command, format);
  auto* bind_flag = command.add_flag(
      "--bind", bind, "Bind, as pull, rep, router and pub do anyway: this side's declarations (retain, limit) win");
  command.add_flag("--connect", connect, "Connect, as push, sub, req, dealer and pair do anyway")->excludes(bind_flag);
}

int LinkOptions::socket_type() const { return socket_type_named(type); }

bool LinkOptions::carries_properties() const { return format == "json" && !is_plain(endpoint); }

std::string LinkOptions::linked() const {
  std::string linked = carries_properties() ? with_option(endpoint, "properties", "on") : endpoint;
  // Who sends a file wants all of it to arrive.
  const bool may_drop = socket_type() == ZMQ_ROUTER && !is_plain(endpoint) && !endpoint_option(endpoint, "full");
  return may_drop ? with_option(linked, "full", "block") : linked;
}

Side LinkOptions::side() const {
  if (bind) return Side::bind;
  return connect ? Side::connect : default_side(endpoint, socket_type());
}

CLI::Option* add_type(CLI::App& command, std::string& type, const std::vector<std::string>& types) {
  type = types.front();
  const CLI::Validator known([types](std::string& given) { return check_type(given, types); },
                             fmt::format("{{{}}}", fmt::join(types, ",")));
  return command.add_option("--type", type, fmt::format("Socket type: {}", fmt::join(types, " or ")))
      ->check(known)
      ->capture_default_str();
}

void add_format(CLI::App& command, std::string& format) {
  command
      .add_option("--format", format,
                  "lines, records (paragraphs), frames (length-prefixed) or json; the last two carry everything")
      ->check(CLI::IsMember({"lines", "records", "frames", "json"}))
      ->capture_default_str();
}

void add_subscribe(CLI::App& command, std::vector<std::string>& prefixes) {
  command
      .add_option("--subscribe", prefixes,
                  "Only messages whose first frame begins with this; may be repeated (default: all)")
      ->type_name("PREFIX")
      ->expected(1)
      ->take_all();
}

int socket_type_named(const std::string& name) {
  if (name == "pub") return ZMQ_XPUB;
  if (name == "sub") return ZMQ_SUB;
  if (name == "req") return ZMQ_REQ;
  if (name == "rep") return ZMQ_REP;
  if (name == "dealer") return ZMQ_DEALER;
  if (name == "router") return ZMQ_ROUTER;
  if (name == "pair") return ZMQ_PAIR;
  return name == "pull" ? ZMQ_PULL : ZMQ_PUSH;
}

std::string check_routing(const LinkOptions& link) {
  if (link.socket_type() == ZMQ_ROUTER && link.format != "frames" && link.format != "json")
    return "the first frame of each message names the peer: use --format frames or json";
  return {};
}

CLI::Option* add_id(CLI::App& command, std::string& id) {
  return command
      .add_option("--id", id,
                  "With --type req, dealer or router: the routing id; its mailbox stays, and one at a time may use it")
      ->check([](const std::string& text) {
        return text.empty() || text.size() > 255 ? std::string("a routing id has 1 to 255 bytes") : std::string();
      })
      ->type_name("NAME");
}

void check_id(const LinkOptions& link, const std::string& id) {
  const int type = link.socket_type();
  if (!id.empty() && type != ZMQ_REQ && type != ZMQ_DEALER && type != ZMQ_ROUTER)
    throw CLI::ValidationError("--id", "is for --type req, dealer and router");
}

std::string check_time(const std::string& text) {
  return parse_time(text) ? "" : "'" + text + "' is no time; write it as 500ms, 2s, 1m or 1h";
}

namespace {

std::string check_whole(const std::string& text, std::uint64_t least) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool whole = end == text.data() + text.size();
  if (whole && error == std::errc::result_out_of_range)
    return fmt::format("'{}' is too large; write at most {}", text, UINT64_MAX);
  return whole && error == std::errc() && count >= least
             ? ""
             : fmt::format("'{}' is no count; write {} or more", text, least);
}

}  // namespace

std::string check_count(const std::string& text) { return check_whole(text, 1); }
std::string check_count_or_none(const std::string& text) { return check_whole(text, 0); }

}  // namespace vtx::cli
