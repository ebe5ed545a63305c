/* SPDX-License-Identifier: MPL-2.0 */
//
// What main knows of the commands: each adds itself to the parser and, when the user has chosen it, leaves what is to be run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "failure.hpp"

namespace vtx::cli {

/// The chosen command with its arguments; set while the command line is parsed, run afterwards.
using Chosen = std::function<Exit()>;

void add_send(CLI::App& app, Chosen& chosen);
void add_recv(CLI::App& app, Chosen& chosen);
void add_tail(CLI::App& app, Chosen& chosen);
void add_peek(CLI::App& app, Chosen& chosen);
void add_replay(CLI::App& app, Chosen& chosen);
void add_queues(CLI::App& app, Chosen& chosen);  ///< queues and show
void add_groups(CLI::App& app, Chosen& chosen);
void add_dead(CLI::App& app, Chosen& chosen);
void add_trim(CLI::App& app, Chosen& chosen);
void add_upkeep(CLI::App& app, Chosen& chosen);  ///< migrate and check
void add_bench(CLI::App& app, Chosen& chosen);
void add_version(CLI::App& app, Chosen& chosen);
std::string version_text();
void add_manual(CLI::App& app, Chosen& chosen);  ///< for the build

}  // namespace vtx::cli
