/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx version`: of the libraries that this process really runs with.
#include <fmt/format.h>
#include <vtx/vtx.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"

namespace vtx::cli {
namespace {

std::string joined(int major, int minor, int patch) { return fmt::format("{}.{}.{}", major, minor, patch); }

struct Versions {
  std::string vtx;
  std::string zeromq;
};

Versions versions() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  vtx_version(&major, &minor, &patch);
  const std::string vtx = joined(major, minor, patch);
  zmq_version(&major, &minor, &patch);
  return {vtx, joined(major, minor, patch)};
}

Exit version(bool json) {
  if (json)
    fmt::print("{}\n", nlohmann::json{{"vtx", versions().vtx}, {"zeromq", versions().zeromq}}.dump());
  else
    fmt::print("{}\n", version_text());
  return Exit::done;
}

}  // namespace

std::string version_text() { return fmt::format("vtx {} (ZeroMQ {})", versions().vtx, versions().zeromq); }

void add_version(CLI::App& app, Chosen& chosen) {
  auto json = std::make_shared<bool>(false);
  auto* command = app.add_subcommand("version", "Print the versions of VTX and of ZeroMQ");
  command->add_flag("--json", *json, "Print JSON");
  command->footer("Example:\n  vtx version --json");
  command->callback([json, &chosen] { chosen = [json] { return version(*json); }; });
}

}  // namespace vtx::cli
