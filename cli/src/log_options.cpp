/* SPDX-License-Identifier: MPL-2.0 */
//
// See log_options.hpp.
#include "log_options.hpp"

#include "link_options.hpp"

namespace vtx::cli {

void LogOptions::add_to(CLI::App& command) {
  command.add_option("URI", source.endpoint, "The queue, as sqlite:///var/lib/app/q.db?queue=ticks")->required();
  add_subscribe(command, source.prefixes);
  add_format(command, view.format);
}

void LogOptions::add_headers(CLI::App& command) {
  command.add_flag("--headers", view.headers, "Sequence and time ahead of each line");
}

void LogOptions::check() const {
  if (view.headers && view.format != "lines")
    throw CLI::ValidationError("--headers", "is for --format lines; json has both among its properties");
}

void add_from(CLI::App& command, std::string& from) {
  command
      .add_option("--from", from,
                  "Where to begin: oldest (default), now, seq:N, time:2026-11-21T08:00:00Z, or an age as -15m")
      ->type_name("WHERE");
}

}  // namespace vtx::cli
