/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx dead`: the messages that a group could not work, to be looked at, tried again, or dropped.
#include <fmt/format.h>

#include <memory>

#include "admin_call.hpp"
#include "commands.hpp"
#include "link_options.hpp"
#include "report.hpp"
#include "session.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

struct DeadOptions {
  std::string endpoint;
  std::vector<std::uint64_t> sequences;
  std::uint64_t count = 100;
  bool all = false;
  bool json = false;
};

Exit list(const DeadOptions& options) {
  const Json answer = ask(options.endpoint, fmt::format("dead list {}", options.count));
  if (options.json) {
    fmt::print("{}\n", answer.dump(2));
    return Exit::done;
  }
  Table table({"SEQUENCE", "GROUP", "DELIVERIES", "STORED", "SIZE", "REASON", "PREVIEW"});
  for (const Json& message : answer.at("messages"))
    table.add({message.at("sequence").dump(), printable(message.at("group").get<std::string>()),
               message.at("deliveries").dump(), message.at("stored").get<std::string>(),
               readable_size(message.at("bytes").get<std::uint64_t>()),
               printable(message.at("reason").get<std::string>()),
               printable(message.at("preview").get<std::string>())});
  fmt::print("{}", table.text());
  return Exit::done;
}

/// "dead requeue 17" for each sequence, or "dead requeue all".
std::vector<std::string> questions(const DeadOptions& options, const std::string& verb) {
  if (options.all) return {fmt::format("dead {} all", verb)};
  std::vector<std::string> out;
  for (const auto sequence : options.sequences) out.push_back(fmt::format("dead {} {}", verb, sequence));
  return out;
}

Exit steer(const DeadOptions& options, const std::string& verb, const std::string& past) {
  Session session;
  std::uint64_t count = 0;
  Exit exit = Exit::done;
  for (const auto& question : questions(options, verb)) {
    try {
      count +=
          ask(session.vtx(), options.endpoint, question, std::chrono::seconds(10)).at("count").get<std::uint64_t>();
    } catch (const Failure& failure) {  // the others may be there all the same
      note(failure.what());
      if (failure.code() == Exit::usage) return Exit::usage;
      exit = Exit::failed;
    }
  }
  note(fmt::format("{} messages {}", grouped(count), past));
  return exit;
}

void add_list(CLI::App& dead, Chosen& chosen) {
  auto options = std::make_shared<DeadOptions>();
  auto* command = dead.add_subcommand("list", "List a queue's dead letters with the reason");
  command->add_option("URI", options->endpoint, "The queue's endpoint")->required();
  command->add_option("-n", options->count, "At most so many")->check(check_count)->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("Example:\n  vtx dead list 'sqlite:/tmp/q.db?queue=jobs'");
  command->callback([options, &chosen] { chosen = [options] { return list(*options); }; });
}

void add_steer(CLI::App& dead, Chosen& chosen, const std::string& verb, const std::string& past,
               const std::string& what) {
  auto options = std::make_shared<DeadOptions>();
  auto* command = dead.add_subcommand(verb, what);
  command->add_option("URI", options->endpoint, "The queue's endpoint")->required();
  auto* sequences =
      command->add_option("SEQ", options->sequences, "Sequences, as `vtx dead list` shows them")->check(check_count);
  command->add_flag("--all", options->all, "Every dead letter of the queue")->excludes(sequences);
  command->footer(
      fmt::format("Examples:\n  vtx dead {0} 'sqlite:/tmp/q.db?queue=jobs' 17 18\n  vtx dead {0} "
                  "'sqlite:/tmp/q.db?queue=jobs' --all",
                  verb));
  command->callback([=, &chosen] {
    if (!options->all && options->sequences.empty()) throw CLI::RequiredError("SEQ or --all");
    chosen = [=] { return steer(*options, verb, past); };
  });
}

}  // namespace

void add_dead(CLI::App& app, Chosen& chosen) {
  auto* dead = app.add_subcommand("dead", "Look at, requeue or drop dead letters");
  dead->require_subcommand(1);
  dead->footer("Example:\n  vtx dead list 'sqlite:/tmp/q.db?queue=jobs'");
  add_list(*dead, chosen);
  add_steer(*dead, chosen, "requeue", "requeued", "Give dead letters back to the group that could not work them");
  add_steer(*dead, chosen, "drop", "dropped", "Drop dead letters for good");
}

}  // namespace vtx::cli
