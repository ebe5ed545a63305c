/* SPDX-License-Identifier: MPL-2.0 */
//
// See completion.hpp. The script follows the words to the command they name, and has one table of what may follow an option and one of what a
// command offers.
#include "completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace vtx::cli {
namespace {

struct Tables {
  std::string paths;   ///< patterns of words that lead to a command
  std::string values;  ///< what follows an option
  std::string words;   ///< what a command offers
};

void add(const CommandHelp& command, Tables& tables) {
  std::vector<std::string> offered;
  for (const CommandHelp& part : command.commands) {
    offered.push_back(part.name.substr(command.name.size() + 1));
    tables.paths += fmt::format("{}\"{}\"", tables.paths.empty() ? "" : " | ", part.name);
  }
  for (const OptionHelp& option : command.options) {
    if (option.positional) continue;
    offered.insert(offered.end(), option.names.begin(), option.names.end());
    if (option.value.empty()) continue;
    std::string pattern;
    for (const auto& name : option.names)
      pattern += fmt::format("{}\"{} {}\"", pattern.empty() ? "" : " | ", command.name, name);
    tables.values += fmt::format("    {}) choices=\"{}\" ;;\n", pattern, fmt::join(option.choices, " "));
  }
  tables.words += fmt::format("    \"{}\") words=\"{}\" ;;\n", command.name, fmt::join(offered, " "));
  for (const CommandHelp& part : command.commands) add(part, tables);
}

}  // namespace

std::string bash_completion(const CommandHelp& command) {
  Tables tables;
  add(command, tables);
  return fmt::format(R"(# bash completion for vtx(1). Made by the command itself from what --help says; do not edit.
_vtx() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} path="vtx" choices="-" words="" i
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $previous == "=" ]]; then
    previous=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path ${{COMP_WORDS[i]}}" in
    {}) path="$path ${{COMP_WORDS[i]}}" ;;
    esac
  done
  COMPREPLY=()
  case "$path $previous" in
{}  esac
  if [[ $choices != "-" ]]; then
    [[ -z $choices ]] || mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
    return
  fi
  case "$path" in
{}  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -o bashdefault -o default -F _vtx vtx
)",
                     tables.paths, tables.values, tables.words);
}

}  // namespace vtx::cli
