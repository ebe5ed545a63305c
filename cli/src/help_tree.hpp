/* SPDX-License-Identifier: MPL-2.0 */
//
// The command line as data: what --help is made of, read out of the parser for the manual pages and the completion script, so that
// all three say the same.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace vtx::cli {

struct OptionHelp {
  std::vector<std::string> names;  ///< "-n", "--type"; of a positional its one name, as "URI"
  bool positional = false;
  bool required = false;
  bool repeated = false;
  std::string value;                 ///< what follows it, as "TIME"; empty for a flag
  std::vector<std::string> choices;  ///< the only values, where there are such
  std::string standard;              ///< its default; empty none
  std::string text;
};

struct CommandHelp {
  std::string name;  ///< "vtx dead list"
  std::string text;  ///< one line
  std::string notes;
  std::string examples;
  std::vector<OptionHelp> options;
  std::vector<CommandHelp> commands;
};

/// Without what is hidden from --help.
CommandHelp help_of(const CLI::App& app, const std::string& name);

}  // namespace vtx::cli
