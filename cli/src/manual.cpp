/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx manual`: writes the manual pages and the bash completion into a directory. Hidden: it is for the build, which installs them.
#include <fmt/format.h>
#include <vtx/vtx.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "commands.hpp"
#include "completion.hpp"
#include "man_page.hpp"

namespace vtx::cli {
namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw Failure(fmt::format("{}: cannot be written", path.string()));
}

Exit write_manual(const CLI::App& app, const std::filesystem::path& directory) {
  int major = 0;
  int minor = 0;
  int patch = 0;
  vtx_version(&major, &minor, &patch);
  const std::string version = fmt::format("{}.{}.{}", major, minor, patch);
  const CommandHelp all = help_of(app, "vtx");
  write(directory / "man1" / page_name(all), man_page(all, version));
  for (const CommandHelp& command : all.commands)
    write(directory / "man1" / page_name(command), man_page(command, version));
  write(directory / "man7" / "vtx-endpoints.7", endpoint_page(nlohmann::json::parse(vtx_endpoint_options()), version));
  write(directory / "bash-completion" / "vtx", bash_completion(all));
  return Exit::done;
}

}  // namespace

void add_manual(CLI::App& app, Chosen& chosen) {
  auto directory = std::make_shared<std::string>();
  auto* command = app.add_subcommand("manual", "Write the manual pages and the bash completion");
  command->group("");
  command->add_option("DIRECTORY", *directory, "Where to; made when it is not there")->required();
  command->callback(
      [directory, &app, &chosen] { chosen = [directory, &app] { return write_manual(app, *directory); }; });
}

}  // namespace vtx::cli
