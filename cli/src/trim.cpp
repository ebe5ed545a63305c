/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx trim`: an operator takes the oldest messages of a queue away, settled or not.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "admin_call.hpp"
#include "commands.hpp"
#include "report.hpp"
#include "session.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

constexpr const char* kFooter =
    "What a group had not settled is lost for it, and counted: `vtx show` tells. There is no way back.\n"
    "\n"
    "Examples:\n"
    "  vtx trim 'sqlite:/tmp/q.db?queue=jobs' --keep 1000\n"
    "  vtx trim 'sqlite:/tmp/q.db?queue=ticks' --before -15m\n"
    "  vtx trim 'sqlite:/tmp/q.db?queue=ticks' --before time:2026-11-21T08:00:00Z";

struct TrimOptions {
  std::string endpoint;
  std::optional<std::string> before;
  std::string keep;
  bool json = false;

  std::string question() const {
    return before ? fmt::format("trim before {}", *before) : fmt::format("trim keep {}", keep);
  }
};

Exit trim(const TrimOptions& options) {
  Session session;
  Progress progress;
  std::uint64_t count = 0;
  bool more = true;
  while (more && session.signals().taken() == 0) {
    const Json answer = ask(session.vtx(), options.endpoint, options.question(), std::chrono::seconds(10));
    count += answer.at("count").get<std::uint64_t>();
    more = answer.at("more").get<bool>();
    if (progress.due()) progress.show(count, {}, {});
  }
  if (options.json)
    fmt::print("{}\n", Json{{"count", count}}.dump(2));
  else
    note(fmt::format("{} messages removed", grouped(count)));
  if (!more) return Exit::done;
  note("stopped by a signal: some that were meant are left");
  return Exit::failed;
}

}  // namespace

void add_trim(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<TrimOptions>();
  auto* command = app.add_subcommand("trim", "Remove the oldest messages of a queue, settled or not");
  command->add_option("URI", options->endpoint, "The queue, as sqlite:///var/lib/app/q.db?queue=jobs")->required();
  auto* extent = command->add_option_group("How far", "One of these");
  extent
      ->add_option("--before", options->before,
                   "All before this place go: seq:N, time:2026-11-21T08:00:00Z, or an age as -15m")
      ->type_name("WHERE");
  extent->add_option("--keep", options->keep, "All but the newest N go")->type_name("N");
  extent->require_option(1);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(kFooter);
  command->callback([options, &chosen] { chosen = [options] { return trim(*options); }; });
}

}  // namespace vtx::cli
