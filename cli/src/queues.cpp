/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx queues` and `vtx show`: what a store holds, as aligned tables or as the store's own JSON.
#include <fmt/format.h>

#include <memory>

#include "admin_call.hpp"
#include "commands.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

struct ViewOptions {
  std::string endpoint;
  bool json = false;
};

std::string count_of(const Json& object, const char* key) { return grouped(object.at(key).get<std::uint64_t>()); }

/// A text or number as it is; "-" for null and "".
std::string text_of(const Json& object, const char* key) {
  const Json value = object.value(key, Json());
  if (value.is_null()) return "-";
  if (!value.is_string()) return value.dump();
  const auto text = value.get<std::string>();
  return text.empty() ? "-" : printable(text);
}

std::uint64_t depth_of(const Json& queue) {
  std::uint64_t deepest = 0;
  for (const Json& group : queue.at("groups")) deepest = std::max(deepest, group.at("depth").get<std::uint64_t>());
  return deepest;
}

void print_queues(const Json& answer) {
  Table table({"QUEUE", "MESSAGES", "SIZE", "DEPTH", "GROUPS", "DEAD", "TRIMMED", "RETAIN", "LIMIT"});
  for (const Json& queue : answer.at("queues"))
    table.add({text_of(queue, "name"), count_of(queue, "messages"),
               readable_size(queue.at("bytes").get<std::uint64_t>()), grouped(depth_of(queue)),
               grouped(queue.at("groups").size()), count_of(queue, "dead"),
               grouped(queue.at("counters").value("trimmed", std::uint64_t{0})), text_of(queue, "retain"),
               text_of(queue, "limit")});
  fmt::print("{}", table.text());
}

/// The prefixes that a group takes; "-" for a group that takes everything.
std::string subscriptions(const Json& group) {
  std::string list;
  for (const Json& prefix : group.value("subscriptions", Json::array())) {
    const auto text = printable(prefix.get<std::string>());
    list += fmt::format("{}{}", list.empty() ? "" : ", ", text.empty() ? "(all)" : text);
  }
  return list.empty() ? "-" : list;
}

void print_groups(const Json& groups) {
  if (groups.empty()) return;
  Table table({"GROUP", "DEPTH", "CLAIMED", "RETRYING", "TRIMMED", "SUBSCRIPTIONS"});
  for (const Json& group : groups)
    table.add({text_of(group, "name"), count_of(group, "depth"), count_of(group, "claimed"),
               count_of(group, "retrying"), grouped(group.value("trimmed", std::uint64_t{0})), subscriptions(group)});
  fmt::print("\n{}", table.text());
}

void print_counters(const Json& counters) {
  if (counters.empty()) return;
  Table table({"COUNTER", "MESSAGES"});
  for (const auto& [name, count] : counters.items()) table.add({printable(name), grouped(count.get<std::uint64_t>())});
  fmt::print("\n{}", table.text());
}

/// Which messages the queue has, first to last.
std::string sequences(const Json& queue) {
  const auto first = queue.at("tail").get<std::uint64_t>();
  const auto last = queue.at("head").get<std::uint64_t>();
  if (first > last) return fmt::format("none; the next is {}", grouped(last + 1));
  return fmt::format("{} to {}", grouped(first), grouped(last));
}

void print_queue(const Json& queue) {
  fmt::print("queue     {}\n", text_of(queue, "name"));
  fmt::print("messages  {} ({})\n", count_of(queue, "messages"), readable_size(queue.at("bytes").get<std::uint64_t>()));
  fmt::print("delayed   {}\n", count_of(queue, "delayed"));
  fmt::print("sequence  {}\n", sequences(queue));
  fmt::print("dead      {}\n", count_of(queue, "dead"));
  fmt::print("retain    {}\n", text_of(queue, "retain"));
  fmt::print("limit     {}\n", text_of(queue, "limit"));
  print_groups(queue.at("groups"));
  print_counters(queue.at("counters"));
}

using Print = void (*)(const Json&);

void add(CLI::App& app, Chosen& chosen, const std::string& name, const std::string& what, const std::string& footer,
         Print print) {
  auto options = std::make_shared<ViewOptions>();
  auto* command = app.add_subcommand(name, what);
  command->add_option("URI", options->endpoint, "The endpoint, as sqlite:///var/lib/app/q.db?queue=jobs")->required();
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(footer);
  command->callback([=, &chosen] {
    chosen = [=] {
      const Json answer = ask(options->endpoint, name);
      if (options->json)
        fmt::print("{}\n", answer.dump(2));
      else
        print(answer);
      return Exit::done;
    };
  });
}

}  // namespace

void add_queues(CLI::App& app, Chosen& chosen) {
  add(app, chosen, "queues", "List the queues of a store", "Example:\n  vtx queues sqlite:/tmp/q.db", print_queues);
  add(app, chosen, "show", "Show one queue: its groups and counters",
      "DEPTH counts what a group has not settled yet, CLAIMED what its consumers hold, RETRYING what is to be "
      "delivered again, TRIMMED what retention removed before the group had it.\n\nExample:\n  vtx show "
      "'sqlite:/tmp/q.db?queue=jobs'",
      print_queue);
}

}  // namespace vtx::cli
