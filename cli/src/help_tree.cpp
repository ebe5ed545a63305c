/* SPDX-License-Identifier: MPL-2.0 */
//
// See help_tree.hpp.
#include "help_tree.hpp"

#include <algorithm>
#include <sstream>

namespace vtx::cli {
namespace {

/// "TEXT:{lines,frames}" gives "TEXT" and the two; other conditions, as "N:POSITIVE", are told by the description.
void read_type(const std::string& type, OptionHelp& help) {
  const auto colon = type.find(':');
  help.value = type.substr(0, colon);
  const auto open = type.find('{');
  const auto close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return;
  std::istringstream list(type.substr(open + 1, close - open - 1));
  for (std::string choice; std::getline(list, choice, ',');) help.choices.push_back(choice);
}

OptionHelp help_of(const CLI::Option& option) {
  OptionHelp help;
  help.positional = option.get_positional();
  help.required = option.get_required();
  help.repeated = option.get_items_expected_max() > 1;
  help.text = option.get_description();
  help.standard = option.get_default_str();
  if (option.get_items_expected_max() > 0) read_type(option.get_type_name(), help);
  if (help.positional) {
    help.names.push_back(option.get_name(true));
    return help;
  }
  for (const auto& name : option.get_snames()) help.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) help.names.push_back("--" + name);
  return help;
}

/// Those of option groups too, which the parser keeps as commands without a name.
void add_options(const CLI::App& app, CommandHelp& help) {
  for (const CLI::Option* option : app.get_options())
    if (!option->get_group().empty()) help.options.push_back(help_of(*option));
  for (const CLI::App* group : app.get_subcommands([](const CLI::App* one) { return one->get_name().empty(); }))
    for (const CLI::Option* option : group->get_options())
      if (option->get_name() != "--help") help.options.push_back(help_of(*option));
  std::ranges::stable_sort(help.options, std::ranges::greater{}, &OptionHelp::positional);
}

/// What stands in a footer: notes, then "Example:" or "Examples:" and the examples.
void split(const std::string& footer, CommandHelp& help) {
  const auto at = footer.find("Example");
  const bool has_examples = at != std::string::npos && (at == 0 || footer[at - 1] == '\n');
  help.notes = footer.substr(0, has_examples ? at : std::string::npos);
  if (has_examples) help.examples = footer.substr(std::min(footer.find('\n', at), footer.size() - 1) + 1);
}

}  // namespace

CommandHelp help_of(const CLI::App& app, const std::string& name) {
  CommandHelp help;
  help.name = name;
  help.text = app.get_description();
  split(app.get_footer(), help);
  add_options(app, help);
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* one) { return !one->get_name().empty(); }))
    if (!command->get_group().empty()) help.commands.push_back(help_of(*command, name + " " + command->get_name()));
  return help;
}

}  // namespace vtx::cli
