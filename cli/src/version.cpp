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

Exit version(bool json) {
  int major = 0;
  int minor = 0;
  int patch = 0;
  vtx_version(&major, &minor, &patch);
  const std::string vtx = joined(major, minor, patch);
  zmq_version(&major, &minor, &patch);
  const std::string zeromq = joined(major, minor, patch);
  if (json)
    fmt::print("{}\n", nlohmann::json{{"vtx", vtx}, {"zeromq", zeromq}}.dump());
  else
    fmt::print("vtx {} (ZeroMQ {})\n", vtx, zeromq);
  return Exit::done;
}

}  // namespace

void add_version(CLI::App& app, Chosen& chosen) {
  auto json = std::make_shared<bool>(false);
  auto* command = app.add_subcommand("version", "Print the versions of VTX and of ZeroMQ");
  command->add_flag("--json", *json, "Print JSON");
  command->footer("Example:\n  vtx version --json");
  command->callback([json, &chosen] { chosen = [json] { return version(*json); }; });
}

}  // namespace vtx::cli
