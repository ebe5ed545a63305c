/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx send`: messages from files or standard input into a queue. Done means durable.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "ask.hpp"
#include "commands.hpp"
#include "endpoint_text.hpp"
#include "inputs.hpp"
#include "link_options.hpp"
#include "report.hpp"
#include "sender.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

constexpr const char* kFooter =
    "Without FILE, or with -, standard input is read. With --type pub the queue keeps its messages for whoever comes, "
    "as\n"
    "its retention says; on a plain transport they wait for the first subscriber.\n"
    "With --type req each message is a request: its reply is written to standard output, in the same format, before "
    "the\n"
    "next is sent. A request that was not answered in time stays in the queue; its reply will find nobody waiting.\n"
    "With --type router the first frame of each message names the peer, which must have attached once; --type dealer "
    "and\n"
    "pair send to whoever is on the other side.\n"
    "Exits with 0 only when every message is durable, with --type req answered, and the store has\n"
    "not gone back in time meanwhile, and says on standard error how many are. SIGINT and SIGTERM\n"
    "end it with 1 after what was read has been made durable.\n"
    "\n"
    "Examples:\n"
    "  vtx send 'sqlite:/tmp/q.db?queue=jobs' jobs.txt            one message a line\n"
    "  vtx send 'sqlite:/tmp/q.db?queue=packages' --format records /var/lib/dpkg/status\n"
    "  vtx send 'sqlite:/tmp/q.db?queue=ticks' --type pub ticks.txt\n"
    "  vtx send 'sqlite:/tmp/q.db?queue=questions' --type req --timeout 5s questions.txt > answers.txt\n"
    "  echo '{\"frames\":[\"van-3\",\"come home\"]}' | vtx send 'sqlite:/tmp/q.db?queue=fleet' --type router --format "
    "json\n"
    "  vtx send 'sqlite:/tmp/q.db?queue=jobs' --format json jobs.json\n"
    "                                 each line as {\"frames\": [\"hello\"], \"properties\": {\"Ttl\": \"1h\"}}\n"
    "  printf 'hello\\n' | vtx send 'sqlite:q.db?queue=jobs'";

constexpr const char* kLost =
    "; the store went back in time meanwhile, and what was durable before may be gone: look which of them are there, "
    "and send the others again";

struct SendOptions {
  LinkOptions link;
  std::vector<std::string> files;
  std::string id;       // by which others know the socket
  std::string timeout;  // for a reply
};

/// Sends one run of the command. One thread.
class Run {
 public:
  explicit Run(const SendOptions& options)
      : link_(session_, options.link.socket_type(), options.link.linked(), options.link.side(),
              {.routing_id = options.id}),
        sender_(link_, options.link.carries_properties()),
        inputs_(options.files, format_named(options.link.format),
                [this](int fd) { return wait_for_input(link_, fd); }) {}

  Exit run() {
    std::optional<Failure> cause;
    attempt(cause, [this] { stopped_ = !send_all(); });
    bool durable = false;
    attempt(cause, [&] { durable = sender_.flush(); });
    report(durable);
    if (!durable) link_.abandon();
    if (cause) throw Failure(*cause);
    return durable && !stopped_ && !link_.went_back() ? Exit::done : Exit::failed;
  }

 private:
  /// Keeps the first failure: what was sent before it must still be made durable and be counted.
  template <class Step>
  void attempt(std::optional<Failure>& cause, Step step) {
    try {
      step();
    } catch (const Failure& failure) {
      if (!cause) cause = failure;
    }
  }

  /// @return false when a signal asked to stop
  bool send_all() {
    Message message;
    MessageReader::Next next;
    while ((next = inputs_.next(message)) == MessageReader::Next::message) {
      if (!sender_.send(message)) return false;
      if (progress_.due()) progress_.show(sender_.count(), link_.depth(), inputs_.left());
    }
    return next == MessageReader::Next::end;
  }

  void report(bool durable) {
    const std::string stopped = stopped_ ? "stopped by a signal; " : "";
    const std::string lost = link_.went_back() ? kLost : "";
    if (durable) {
      const bool keeps = !is_plain(link_.endpoint()) && !link_.went_back();
      note(fmt::format("{}{} messages sent{}{}", stopped, sender_.count(), keeps ? ", all durable" : "", lost));
      return;
    }
    std::uint64_t known = 0;
    try {
      known = link_.stats().durable;
    } catch (const Failure&) {  // the link has ended: nothing more is known
    }
    note(fmt::format("{}{} of {} messages are known to be durable; send the others again{}", stopped, known,
                     sender_.count(), lost));
  }

  Session session_;
  Link link_;
  Sender sender_;
  Inputs inputs_;
  Progress progress_;
  bool stopped_ = false;
};

Exit send(const SendOptions& options) {
  check_inputs(options.files);
  if (options.link.socket_type() == ZMQ_REQ)
    return ask(options.link, options.files, options.id, parse_time(options.timeout));
  return Run(options).run();
}

void prepare(SendOptions& options) {
  const bool asks = options.link.socket_type() == ZMQ_REQ;
  if (!asks && !options.timeout.empty()) throw CLI::ValidationError("--timeout", "is for --type req");
  check_id(options.link, options.id);
  if (const auto misfit = check_routing(options.link); !misfit.empty()) throw CLI::ValidationError("--type", misfit);
  if (options.files.empty()) options.files.emplace_back("-");
}

}  // namespace

void add_send(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<SendOptions>();
  auto* command = app.add_subcommand("send", "Send messages from files or standard input");
  options->link.add_to(*command, {"push", "pub", "req", "dealer", "router", "pair"});
  command->add_option("FILE", options->files, "Files to read; - is standard input");
  command
      ->add_option("--timeout", options->timeout,
                   "With --type req: end with 1 when a reply has not come for so long (5s); default: wait for ever")
      ->check(check_time)
      ->type_name("TIME");
  add_id(*command, options->id);
  command->footer(kFooter);
  command->callback([options, &chosen] {
    prepare(*options);
    chosen = [options] { return send(*options); };
  });
}

}  // namespace vtx::cli
