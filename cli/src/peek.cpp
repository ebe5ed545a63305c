/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx peek`: the first messages of a queue as they lie in it. Nothing is taken, counted or settled.
#include <fmt/format.h>

#include <memory>

#include "commands.hpp"
#include "link_options.hpp"
#include "log_options.hpp"
#include "report.hpp"

namespace vtx::cli {
namespace {

constexpr const char* kFooter =
    "Shows what the queue keeps, whoever has it in hand: a message that was settled a moment ago may still be there.\n"
    "Exits with 0 also when there are fewer than N. NAME.dead is the dead-letter queue of NAME.\n"
    "\n"
    "Examples:\n"
    "  vtx peek 'sqlite:/tmp/q.db?queue=jobs'\n"
    "  vtx peek 'sqlite:/tmp/q.db?queue=jobs' -n 1 --from seq:1007 --format json\n"
    "  vtx peek 'sqlite:/tmp/q.db?queue=jobs.dead' --headers";

struct PeekOptions {
  LogOptions log;
  std::uint64_t count = 10;
  std::string from;
};

Exit peek(const PeekOptions& options) {
  Session session;
  const Extent there = extent_of(session, options.log.source.endpoint);
  LogReader reader(session, options.log.source, options.from);
  Printer printer(session.signals(), options.log.view, options.log.source.endpoint);
  LogReading reading(reader, {options.count, there.last, {}}, printer);
  if (reading.run()) return Exit::done;
  note(fmt::format("stopped by a signal after {} messages", reading.count()));
  return Exit::failed;
}

}  // namespace

void add_peek(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<PeekOptions>();
  auto* command = app.add_subcommand("peek", "Show the first messages of a queue without taking them");
  options->log.add_to(*command);
  options->log.add_headers(*command);
  command->add_option("-n", options->count, "How many")->check(check_count)->type_name("N")->capture_default_str();
  add_from(*command, options->from);
  command->footer(kFooter);
  command->callback([options, &chosen] {
    options->log.check();
    chosen = [options] { return peek(*options); };
  });
}

}  // namespace vtx::cli
