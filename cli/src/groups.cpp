/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx groups`: who consumes a queue and how far each is; moves a group to another place, and ends one that nobody wants any more.
#include <fmt/format.h>

#include <memory>

#include "admin_call.hpp"
#include "commands.hpp"
#include "report.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

constexpr const char* kGroupHelp = "The group, as `vtx groups list` names it: audit, up/default, mailbox:PEER/default";

constexpr const char* kListFooter =
    "POSITION is the first message that the group may still need, DEPTH counts what it has not settled yet, "
    "CLAIMED\n"
    "what its consumers hold, RETRYING what is to be delivered again, OLDEST is when the oldest of all that was "
    "stored.\n"
    "\n"
    "Example:\n"
    "  vtx groups list 'sqlite:/tmp/q.db?queue=jobs'";

constexpr const char* kSeekFooter =
    "Consumers may go on: what they have in hands is taken from them, as after a lost lease, and is delivered again "
    "only if\n"
    "it lies behind the new place. Delivery counts begin anew. What is passed over unsettled is counted as skipped.\n"
    "\n"
    "Examples:\n"
    "  vtx groups seek 'sqlite:/tmp/q.db?queue=jobs' audit --to oldest\n"
    "  vtx groups seek 'sqlite:/tmp/q.db?queue=jobs' audit --to now\n"
    "  vtx groups seek 'sqlite:/tmp/q.db?queue=jobs' audit --to time:2026-11-21T08:00:00Z";

constexpr const char* kDropFooter =
    "Its messages stay for the other groups, and retention waits for it no longer. The group of a mailbox goes with "
    "the\n"
    "mailbox. A consumer that still runs makes the group anew, so end them first; --force is for one that cannot be "
    "ended.\n"
    "\n"
    "Examples:\n"
    "  vtx groups drop 'sqlite:/tmp/q.db?queue=jobs' audit\n"
    "  vtx groups drop 'sqlite:/tmp/q.db?queue=questions' mailbox:desk-7/default";

struct GroupsOptions {
  std::string endpoint;
  std::string group;
  std::string where;
  bool all = false;
  bool force = false;
  bool json = false;
};

std::string count_of(const Json& object, const char* key) { return grouped(object.at(key).get<std::uint64_t>()); }

std::string or_dash(const std::string& text) { return text.empty() ? "-" : printable(text); }

Exit list(const GroupsOptions& options) {
  const Json answer = ask(options.endpoint, options.all ? "groups list all" : "groups list");
  if (options.json) {
    fmt::print("{}\n", answer.dump(2));
    return Exit::done;
  }
  Table table({"GROUP", "POSITION", "DEPTH", "CLAIMED", "RETRYING", "TRIMMED", "OLDEST"});
  for (const Json& group : answer.at("groups"))
    table.add({printable(group.at("name").get<std::string>()), count_of(group, "position"), count_of(group, "depth"),
               count_of(group, "claimed"), count_of(group, "retrying"), count_of(group, "trimmed"),
               or_dash(group.at("oldest").get<std::string>())});
  fmt::print("{}", table.text());
  return Exit::done;
}

Exit seek(const GroupsOptions& options) {
  const Json answer = ask(options.endpoint, fmt::format("groups seek {} {}", options.group, options.where));
  if (options.json)
    fmt::print("{}\n", answer.dump(2));
  else
    note(fmt::format("group {} goes on at message {}; {} messages passed over", printable(options.group),
                     count_of(answer, "position"), count_of(answer, "count")));
  return Exit::done;
}

Exit drop(const GroupsOptions& options) {
  const Json answer =
      ask(options.endpoint, fmt::format("groups drop {}{}", options.group, options.force ? " force" : ""));
  if (options.json)
    fmt::print("{}\n", answer.dump(2));
  else
    note(fmt::format("group {} dropped; it had not settled {} messages", printable(options.group),
                     count_of(answer, "count")));
  return Exit::done;
}

/// A word of the question to the store must be one.
std::string check_word(const std::string& text) {
  return text.find_first_of(" \t\n") == std::string::npos && !text.empty() ? "" : "'" + text + "' is no such name";
}

CLI::App* add(CLI::App& groups, const std::shared_ptr<GroupsOptions>& options, const char* name, const char* what,
              const char* footer) {
  auto* command = groups.add_subcommand(name, what);
  command->add_option("URI", options->endpoint, "The queue, as sqlite:///var/lib/app/q.db?queue=jobs")->required();
  command->footer(footer);
  return command;
}

void add_list(CLI::App& groups, Chosen& chosen) {
  auto options = std::make_shared<GroupsOptions>();
  auto* command = add(groups, options, "list", "List a queue's groups and how far each is", kListFooter);
  command->add_flag("--all", options->all, "Mailboxes with nothing in them, too");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &chosen] { chosen = [options] { return list(*options); }; });
}

void add_seek(CLI::App& groups, Chosen& chosen) {
  auto options = std::make_shared<GroupsOptions>();
  auto* command = add(groups, options, "seek", "Let a group go on at another place", kSeekFooter);
  command->add_option("GROUP", options->group, kGroupHelp)->required()->check(check_word);
  command
      ->add_option("--to", options->where,
                   "The place: oldest, now, seq:N, time:2026-11-21T08:00:00Z, or an age as -15m")
      ->required()
      ->check(check_word)
      ->type_name("WHERE");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &chosen] { chosen = [options] { return seek(*options); }; });
}

void add_drop(CLI::App& groups, Chosen& chosen) {
  auto options = std::make_shared<GroupsOptions>();
  auto* command = add(groups, options, "drop", "End a group that nobody wants any more", kDropFooter);
  command->add_option("GROUP", options->group, kGroupHelp)->required()->check(check_word);
  command->add_flag("--force", options->force, "Also while consumers hold messages of it, or its peer is there");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &chosen] { chosen = [options] { return drop(*options); }; });
}

}  // namespace

void add_groups(CLI::App& app, Chosen& chosen) {
  auto* groups = app.add_subcommand("groups", "Look at, move or drop a queue's groups");
  groups->require_subcommand(1);
  groups->footer("Example:\n  vtx groups list 'sqlite:/tmp/q.db?queue=jobs'");
  add_list(*groups, chosen);
  add_seek(*groups, chosen);
  add_drop(*groups, chosen);
}

}  // namespace vtx::cli
