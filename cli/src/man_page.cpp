/* SPDX-License-Identifier: MPL-2.0 */
//
// See man_page.hpp.
#include "man_page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <sstream>

namespace vtx::cli {
namespace {

using nlohmann::json;

/// As it is, whatever it is to roff: hyphens that can be copied, straight quotes, no requests.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '\'': out += "\\(aq"; break;
      case '`': out += "\\(ga"; break;
      case '^': out += "\\(ha"; break;
      case '~': out += "\\(ti"; break;
      default: out += c;
    }
  }
  if (!out.empty() && out.front() == '.') out.insert(0, "\\&");
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + escaped(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + escaped(text) + "\\fR"; }

std::string head(const std::string& name, int section, const std::string& version) {
  std::string title = name;
  std::ranges::transform(title, title.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return fmt::format(
      ".\\\" Made by the command itself from what --help says; do not edit.\n.TH {} {} \"\" \"VTX {}\" \"VTX\"\n",
      escaped(title), section, version);
}

/// Lines that are indented stay as they are; of the others, each blank line ends a paragraph.
std::string prose(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  bool literal = false;
  bool began = false;
  for (std::string line; std::getline(lines, line);) {
    const bool indented = line.starts_with("  ");
    if (indented != literal) out += indented ? ".PP\n.RS 4\n.nf\n" : ".fi\n.RE\n";
    literal = indented;
    if (!line.empty()) {
      out += escaped(line.substr(std::min(line.find_first_not_of(' '), line.size()))) + "\n";
      began = true;
    } else if (began && !literal) {
      out += ".PP\n";
    }
  }
  if (literal) out += ".fi\n.RE\n";
  while (out.ends_with(".PP\n")) out.resize(out.size() - 4);
  return out;
}

std::string value_of(const OptionHelp& option) {
  if (option.choices.empty()) return italic(option.value);
  std::string list;
  for (const auto& choice : option.choices) list += (list.empty() ? "" : "|") + bold(choice);
  return list;
}

std::string synopsis_of(const CommandHelp& command) {
  std::string out = bold(command.name);
  for (const OptionHelp& option : command.options) {
    if (!option.positional || option.text.empty()) continue;
    std::string name = italic(option.names.front()) + (option.repeated ? " ..." : "");
    out += " " + (option.required ? name : "[" + name + "]");
  }
  for (const OptionHelp& option : command.options) {
    if (option.positional || option.names.back() == "--help") continue;
    std::string name = bold(option.names.back()) + (option.value.empty() ? "" : " " + value_of(option));
    out += " " + (option.required ? name : "[" + name + "]") + (option.repeated ? " ..." : "");
  }
  return out + (command.commands.empty() ? "\n" : " " + italic("COMMAND") + " ...\n");
}

std::string options_of(const CommandHelp& command) {
  std::string out;
  for (const OptionHelp& option : command.options) {
    std::string names;
    for (const auto& name : option.names)
      names += (names.empty() ? "" : ", ") + (option.positional ? italic(name) : bold(name));
    const bool valued = !option.positional && !option.value.empty();
    out += ".TP\n" + names + (valued ? " " + value_of(option) : "") + "\n" + escaped(option.text);
    if (!option.standard.empty()) out += " (default: " + escaped(option.standard) + ")";
    out += "\n";
  }
  return out;
}

std::string body_of(const CommandHelp& command, const char* part) {
  std::string out;
  const auto add = [&](const char* title, const std::string& text) {
    if (!text.empty()) out += fmt::format(".{} {}\n{}", part, title, text);
  };
  add("DESCRIPTION", prose(command.text + ".\n\n" + command.notes));
  add("OPTIONS", options_of(command));
  add("EXAMPLES", prose(command.examples));
  return out;
}

std::string dashed(const std::string& name) {
  std::string out = name;
  std::ranges::replace(out, ' ', '-');
  return out;
}

std::string reference(const std::string& name, int section) { return bold(name) + "(" + std::to_string(section) + ")"; }

std::string exit_status() {
  return ".SH EXIT STATUS\n.TP\n0\nDone.\n.TP\n1\nFailed; standard error says why.\n.TP\n2\nWrong usage.\n";
}

bool is_first(const CommandHelp& command) { return command.name.find(' ') == std::string::npos; }

}  // namespace

std::string page_name(const CommandHelp& command) { return dashed(command.name) + ".1"; }

std::string man_page(const CommandHelp& command, const std::string& version) {
  const std::string name = dashed(command.name);
  std::string out = head(name, 1, version);
  out += fmt::format(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n", escaped(name), escaped(command.text));
  if (command.commands.empty() || is_first(command)) out += synopsis_of(command);
  if (!is_first(command))
    for (const CommandHelp& part : command.commands) out += synopsis_of(part) + ".br\n";
  out += body_of(command, "SH");
  std::string also;
  for (const CommandHelp& part : command.commands) {
    if (!is_first(command)) {
      out += fmt::format(".SH {}\n{}", escaped(part.name), body_of(part, "SS"));
      continue;
    }
    if (also.empty()) out += ".SH COMMANDS\n";
    out += fmt::format(".TP\n{}\n{}\n", bold(part.name), escaped(part.text));
    also += reference(dashed(part.name), 1) + ",\n";
  }
  if (!is_first(command)) also = reference("vtx", 1) + ",\n";
  return out + exit_status() + ".SH SEE ALSO\n" + also + reference("vtx-endpoints", 7) + "\n";
}

std::string endpoint_page(const json& options, const std::string& version) {
  std::string out = head("vtx-endpoints", 7, version);
  out +=
      ".SH NAME\nvtx\\-endpoints \\- endpoints of VTX and their options\n.SH SYNOPSIS\n.nf\n"
      "\\fIscheme\\fR://\\fI/absolute/path\\fR[?\\fIoption\\fR=\\fIvalue\\fR[&\\fIoption\\fR=\\fIvalue\\fR]...]\n"
      "\\fIscheme\\fR:\\fIrelative/path\\fR[?\\fIoption\\fR=\\fIvalue\\fR[&\\fIoption\\fR=\\fIvalue\\fR]...]\n.fi\n"
      ".SH DESCRIPTION\nAn endpoint is a URI. It is percent-decoded once; a plus sign stands for itself. Names are "
      "made of letters,\n"
      "digits, dots, underscores and hyphens, 100 at most. Counts are bare, sizes take KiB, MiB or GiB, times ms, s, "
      "m, h or d.\n"
      "An option that VTX does not know is refused with the nearest one.\n.SH OPTIONS\n";
  for (const json& option : options) {
    out += fmt::format(".TP\n{}\n{}.\nDefault first: {}.\n", bold(option.at("name").get<std::string>()),
                       escaped(option.at("help").get<std::string>()), escaped(option.at("values").get<std::string>()));
    const auto types = option.at("types").get<std::string>();
    const auto of = option.at("of").get<std::string>();
    if (!types.empty())
      out += fmt::format("For {}.\n", escaped(types));
    else if (of != "both")
      out += fmt::format("For {}.\n", escaped(of));
  }
  return out +
         ".SH EXAMPLES\n.nf\nsqlite:///var/lib/app/q.db?queue=jobs\nsqlite:q.db?queue=ticks&from=\\-15m\n.fi\n"
         ".SH SEE ALSO\n" +
         reference("vtx", 1) + "\n";
}

}  // namespace vtx::cli
