/* SPDX-License-Identifier: MPL-2.0 */
//
// The `vtx` command: parses the command line, runs what was chosen, and turns every outcome into an exit code:
// 0 done, 1 failed, 2 wrong usage.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>

#include "commands.hpp"
#include "report.hpp"
#include "text.hpp"

namespace {

using namespace vtx::cli;

int code(Exit exit) { return static_cast<int>(exit); }

// A standard descriptor that is closed would become a file of ours, and what is printed would go into the database. The wrong way round, so that
// reading and printing fail as they do on a closed one. Opening gives the lowest free number, so this one.
void fill_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

bool names_command(const CLI::App& app, const std::string& name) {
  const auto all = app.get_subcommands([](const CLI::App*) { return true; });
  return std::any_of(all.begin(), all.end(), [&](const CLI::App* command) { return command->get_name() == name; });
}

int run(const Chosen& chosen) {
  try {
    const Exit exit = chosen();
    if (std::fflush(stdout) == 0) return code(exit);
    note("standard output: cannot be written");
  } catch (const Failure& failure) {
    note(failure.what());
    return code(failure.code());
  } catch (const std::exception& error) {
    note(error.what());
  }
  return code(Exit::failed);
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_descriptors();
  CLI::App app{"Durable queues for ZeroMQ: looks at, fills and empties the queues of a VTX store."};
  app.name("vtx");
  app.require_subcommand(1);
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage. `vtx COMMAND --help` shows an example of each.");
  Chosen chosen;
  add_send(app, chosen);
  add_recv(app, chosen);
  add_tail(app, chosen);
  add_peek(app, chosen);
  add_replay(app, chosen);
  add_queues(app, chosen);
  add_groups(app, chosen);
  add_dead(app, chosen);
  add_trim(app, chosen);
  add_upkeep(app, chosen);
  add_bench(app, chosen);
  add_version(app, chosen);
  add_manual(app, chosen);
  app.set_version_flag(
      "--version", [] { return version_text(); }, "Print the versions of VTX and libzmq");
  if (argc > 1 && argv[1][0] != '-' && !names_command(app, argv[1])) {
    note(fmt::format("there is no command '{}'; `vtx --help` names all", printable(argv[1])));
    return code(Exit::usage);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? code(Exit::done) : code(Exit::usage);
  }
  set_program_name("vtx " + app.get_subcommands().front()->get_name());
  return run(chosen);
}
