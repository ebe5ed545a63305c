/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx recv`: messages of a queue to standard output. A message is let go, which settles it, only after the write
// that carried it has returned: a kill at any moment loses nothing.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "answer.hpp"
#include "commands.hpp"
#include "endpoint_text.hpp"
#include "format.hpp"
#include "idle.hpp"
#include "link_options.hpp"
#include "output.hpp"
#include "receive.hpp"
#include "report.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

constexpr const char* kFooter =
    "A message is settled only after it was written, so a kill loses nothing; what was written but not settled comes\n"
    "again. But a reader that stops early, like `| head`, loses what had been written into its own buffer: use -n.\n"
    "With --type sub the messages of a log are read: with subscription=NAME in the URI from where NAME was, settled "
    "as\n"
    "above; without it they are only looked at, from now on or from where from= says.\n"
    "With --type rep each message is a request, which is answered after it was written; it is settled with its reply, "
    "in\n"
    "one transaction: what a worker had in hand when it was killed goes to another.\n"
    "With --type dealer the mail of --id NAME is read, and what the other side sends to anyone; with --type router "
    "each\n"
    "message behind the identity of its sender.\n"
    "SIGINT and SIGTERM end it cleanly: with 0, or with 1 when -n asked for more messages than came.\n"
    "\n"
    "Examples:\n"
    "  vtx recv 'sqlite:/tmp/q.db?queue=jobs'                     runs until it is told to end\n"
    "  vtx recv 'sqlite:/tmp/q.db?queue=jobs' -n 10\n"
    "  vtx recv 'sqlite:/tmp/q.db?queue=jobs&group=audit' --idle 2s --format frames > audit.frames\n"
    "  vtx recv 'sqlite:/tmp/q.db?queue=ticks&subscription=desk' --type sub --subscribe eur. --subscribe usd.\n"
    "  vtx recv 'sqlite:/tmp/q.db?queue=fleet' --type dealer --id van-3 --idle 1s\n"
    "  vtx recv 'sqlite:/tmp/q.db?queue=questions' --type rep --reply done";

// A batch is written when it has so much, or when nothing more is there at once.
constexpr std::size_t kBatchBytes = std::size_t{256} << 10;
constexpr std::size_t kBatchMessages = 4096;

struct RecvOptions {
  LinkOptions link;
  std::vector<std::string> prefixes;
  std::uint64_t count = UINT64_MAX;
  std::string idle;
  std::optional<std::string> reply;
  std::string id;  ///< by which others know the socket
};

/// A message that is held until it has been written.
struct Held {
  Message message;
  std::size_t end;  ///< of its bytes in the batch
};

/// True when letting go does not settle a message, or not soon, so that we must say it.
bool needs_ack(const std::string& endpoint) {
  const auto ack = endpoint_option(endpoint, "ack");
  return ack == "manual" || ack == "next";
}

/// Whose members share the messages; nothing for a reader, which has its own.
std::optional<std::string> group_of(const LinkOptions& link) {
  if (is_plain(link.endpoint)) return std::nullopt;
  // Of what comes by two streams, or one that a side has to itself, nobody else can tell whether it is in other hands.
  if (link.socket_type() != ZMQ_PULL && link.socket_type() != ZMQ_SUB) return std::nullopt;
  if (link.socket_type() == ZMQ_SUB) return endpoint_option(link.endpoint, "subscription");
  return endpoint_option(link.endpoint, "group").value_or("default");
}

/// Receives one run of the command. One thread.
class Run {
 public:
  explicit Run(const RecvOptions& options)
      : options_(options),
        format_(format_named(options.link.format)),
        with_properties_(options.link.carries_properties()),
        must_ack_(needs_ack(options.link.endpoint)),
        link_(session_, options.link.socket_type(), options.link.linked(), options.link.side(),
              {.prefixes = options.prefixes, .routing_id = options.id}),
        output_(STDOUT_FILENO, session_.signals()),
        idle_(link_, group_of(options.link), parse_time(options.idle)),
        progress_(isatty(STDOUT_FILENO) == 0) {}

  Exit run() {
    idle_.start();
    while (settled_ < options_.count) {
      const bool idle = idle_.is_over();  // before gathering: looking takes time, in which messages may have come
      if (gather()) {
        write_and_settle();
        idle_.start();
      } else if (idle) {
        return Exit::done;
      }
      if (misfit_ != nullptr) refuse();
      if (progress_.due()) show_progress();
      if (settled_ < options_.count && (stopped_ || must_stop())) return end_by_signal();
    }
    return Exit::done;
  }

 private:
  /// Takes what is there without waiting into the batch. @return whether it holds anything
  bool gather() {
    batch_.clear();
    more_waits_ = true;
    while (batch_.size() < kBatchBytes && held_.size() < kBatchMessages && settled_ + held_.size() < options_.count) {
      Message message;
      more_waits_ = receive(link_, with_properties_, message);
      if (!more_waits_) break;
      misfit_ = encode(format_, message, batch_);
      held_.push_back({std::move(message), batch_.size()});
      if (misfit_ != nullptr) break;
    }
    return !held_.empty();
  }

  void write_and_settle() {
    const std::size_t written = output_.write(batch_);
    if (written < batch_.size()) stopped_ = true;
    const std::size_t fitting = held_.size() - (misfit_ != nullptr ? 1 : 0);
    std::size_t done = 0;
    for (; done < fitting && held_[done].end <= written; ++done)
      if (must_ack_) vtx_ack(link_.session().vtx(), held_[done].message.frames.back().handle());
    settled_ += done;
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(done));
  }

  /// The last held message does not fit the format: it goes back to the group, and the command ends.
  [[noreturn]] void refuse() {
    vtx_nack(link_.session().vtx(), held_.back().message.frames.back().handle(), 0);
    throw Failure(fmt::format(
        "{}: message {} {}, which --format {} cannot show; it stays in the queue: use --format frames or json",
        link_.endpoint(), settled_ + 1, misfit_, options_.link.format));
  }

  /// Looks for signals and events; waits for messages when there was none left.
  bool must_stop() {
    auto time = more_waits_ ? Idle::Time(0) : idle_.next_look();
    if (progress_.shown()) time = std::min(time, Idle::Time(1000));
    return link_.wait(ZMQ_POLLIN, -1, time).stop;
  }

  Exit end_by_signal() {
    if (options_.count == UINT64_MAX) return Exit::done;
    note(fmt::format("stopped by a signal after {} of {} messages", settled_, options_.count));
    return Exit::failed;
  }

  void show_progress() {
    const auto depth = link_.depth();
    const auto missing = options_.count != UINT64_MAX ? std::optional(options_.count - settled_) : depth;
    std::optional<double> left;
    if (settled_ > 0 && missing) left = static_cast<double>(*missing) / static_cast<double>(settled_);
    progress_.show(settled_, depth, left);
  }

  const RecvOptions& options_;
  const Format format_;
  const bool with_properties_;
  const bool must_ack_;
  std::vector<Held>
      held_;  // before session_: what it still holds at the end is let go after the link is closed, so stays unsettled
  Session session_;
  Link link_;
  Output output_;
  Idle idle_;
  Progress progress_;
  std::string batch_;
  std::uint64_t settled_ = 0;
  const char* misfit_ = nullptr;  // why the last held message cannot be shown
  bool more_waits_ = false;
  bool stopped_ = false;
};

void prepare(RecvOptions& options) {
  const bool subscribes = options.link.socket_type() == ZMQ_SUB;
  if (!subscribes && !options.prefixes.empty()) throw CLI::ValidationError("--subscribe", "is for --type sub");
  if (options.reply && options.link.socket_type() != ZMQ_REP)
    throw CLI::ValidationError("--reply", "is for --type rep");
  check_id(options.link, options.id);
  if (const auto misfit = check_routing(options.link); !misfit.empty()) throw CLI::ValidationError("--type", misfit);
  if (subscribes && options.prefixes.empty()) options.prefixes.emplace_back();
}

Exit receive_all(const RecvOptions& options) {
  if (options.link.socket_type() != ZMQ_REP) return Run(options).run();
  return answer(options.link, options.reply.value_or(""), options.count, parse_time(options.idle));
}

}  // namespace

void add_recv(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<RecvOptions>();
  auto* command = app.add_subcommand("recv", "Receive messages and write them to standard output");
  options->link.add_to(*command, {"pull", "sub", "rep", "dealer", "router", "pair"});
  add_subscribe(*command, options->prefixes);
  command->add_option("-n", options->count, "Stop after so many messages; takes no more than that")
      ->check(check_count)
      ->type_name("N");
  command
      ->add_option("--idle", options->idle,
                   "Stop when nothing came for so long (2s, 500ms) while no other consumer of the group holds messages")
      ->check(check_time)
      ->type_name("TIME");
  command
      ->add_option("--reply", options->reply,
                   "With --type rep: answer every request with this (default: an empty reply)")
      ->type_name("TEXT");
  add_id(*command, options->id);
  command->footer(kFooter);
  command->callback([options, &chosen] {
    prepare(*options);
    chosen = [options] { return receive_all(*options); };
  });
}

}  // namespace vtx::cli
