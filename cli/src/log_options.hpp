/* SPDX-License-Identifier: MPL-2.0 */
//
// The arguments that tail, peek and replay share: which log, what of it, and how it is shown.
#pragma once

#include <CLI/CLI.hpp>

#include "log_reader.hpp"
#include "printer.hpp"

namespace vtx::cli {

struct LogOptions {
  LogSource source;
  View view;

  /// URI, --subscribe and --format.
  void add_to(CLI::App& command);
  void add_headers(CLI::App& command);
  /// Refuses what does not go together. To be called when the arguments are known.
  void check() const;
};

/// Adds --from.
void add_from(CLI::App& command, std::string& from);

}  // namespace vtx::cli
