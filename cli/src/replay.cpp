/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx replay`: the history of a queue, to standard output or to an endpoint, as fast as it goes or in its own time.
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <memory>

#include "commands.hpp"
#include "endpoint_text.hpp"
#include "link_options.hpp"
#include "log_options.hpp"
#include "pace.hpp"
#include "report.hpp"
#include "sender.hpp"
#include "until.hpp"

namespace vtx::cli {
namespace {

constexpr const char* kFooter =
    "Reads only: the log stays as it is, and so do its groups. --until seq:N and time: may lie ahead: it waits for "
    "them.\n"
    "With --to it exits with 0 when every message is durable there, or handed to a plain transport; a publisher on "
    "one\n"
    "waits for its first subscriber. Properties that the senders set go along to a store. SIGINT and SIGTERM end it "
    "with 1.\n"
    "\n"
    "Examples:\n"
    "  vtx replay 'sqlite:/tmp/q.db?queue=ticks' --from time:2026-11-17T08:00:00Z --until time:2026-11-18T08:00:00Z\n"
    "  vtx replay 'sqlite:/tmp/q.db?queue=ticks' --from -15m --speed original --to 'tcp://*:5556'\n"
    "  vtx replay 'sqlite:/tmp/q.db?queue=jobs' --from seq:1007 --until seq:1007 --to 'sqlite:/tmp/q.db?queue=again' "
    "--type push\n"
    "  vtx replay 'sqlite:/tmp/q.db?queue=ticks' --subscribe eur. --format json > eur.json";

struct ReplayOptions {
  LogOptions log;
  std::string from;
  std::string until = "now";
  std::string speed;
  LinkOptions to;

  bool sends() const { return !to.endpoint.empty(); }
};

/// "original", or a factor. @return nothing when it is neither
std::optional<double> parse_speed(const std::string& text) {
  if (text == "original") return 1;
  double factor = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), factor);
  if (error != std::errc() || rest != text.data() + text.size() || !(factor >= 1e-6 && factor <= 1e6)) return {};
  return factor;
}

std::string check_speed(const std::string& text) {
  return parse_speed(text) ? "" : "'" + text + "' is no speed; write original, or a factor as 2 or 0.5";
}

std::string check_until(const std::string& text) {
  try {
    parse_until(text, 0);
    return "";
  } catch (const Failure& failure) {
    return failure.what();
  }
}

/// The sink that is an endpoint.
class Forwarder : public Sink {
 public:
  Forwarder(Session& session, const LinkOptions& to)
      : with_properties_(!is_plain(to.endpoint)),
        link_(session, to.socket_type(), with_properties_ ? with_option(to.endpoint, "properties", "on") : to.endpoint,
              to.side()),
        sender_(link_, with_properties_) {}

  bool put(LogMessage& message) override {
    if (!with_properties_) message.message.properties.rebuild();
    return sender_.send(message.message);
  }
  bool flush() override { return true; }  // the link commits as it can

  /// All is durable. @return false when a signal ended the waiting
  bool finish() {
    if (sender_.flush()) return true;
    link_.abandon();
    return false;
  }

 private:
  bool with_properties_;
  Link link_;
  Sender sender_;
};

/// Passes on, and shows how far it is.
class Watched : public Sink {
 public:
  /// @param last  the sequence at the end, when it is known
  Watched(Sink& sink, bool wanted, std::optional<std::uint64_t> last) : sink_(sink), progress_(wanted), last_(last) {}

  bool put(LogMessage& message) override {
    const std::uint64_t sequence = message.sequence;
    if (first_ == 0) first_ = sequence;
    if (!sink_.put(message)) return false;
    ++count_;
    if (progress_.due()) show(sequence);
    return true;
  }
  bool flush() override { return sink_.flush(); }

 private:
  void show(std::uint64_t sequence) {
    if (!last_) return progress_.show(count_, std::nullopt, std::nullopt);
    const std::uint64_t total = *last_ - std::min(*last_, first_) + 1;
    const std::uint64_t done = std::min(sequence - first_ + 1, total);
    progress_.show_share(count_, done, total);
  }

  Sink& sink_;
  Progress progress_;
  std::optional<std::uint64_t> last_;
  std::uint64_t first_ = 0;
  std::uint64_t count_ = 0;
};

/// One run of the command. One thread.
class Run {
 public:
  explicit Run(const ReplayOptions& options)
      : options_(options),
        there_(extent_of(session_, options.log.source.endpoint)),
        bounds_(parse_until(options.until, there_.last)),
        reader_(session_, options.log.source, options.from),
        printer_(session_.signals(), options.log.view, options.log.source.endpoint) {
    if (options.sends()) forwarder_ = std::make_unique<Forwarder>(session_, options.to);
  }

  Exit run() {
    const bool to_terminal = !forwarder_ && isatty(STDOUT_FILENO) == 1;
    Watched watched(forwarder_ ? static_cast<Sink&>(*forwarder_) : printer_, !to_terminal, end());
    std::optional<Pace> pace;
    if (const auto factor = parse_speed(options_.speed)) pace.emplace(reader_.link(), *factor, watched);
    LogReading reading(reader_, bounds_, pace ? static_cast<Sink&>(*pace) : watched);
    const bool whole = reading.run();
    const bool finished = !forwarder_ || forwarder_->finish();
    if (whole && finished) return Exit::done;
    note(fmt::format("stopped by a signal after {} messages{}", reading.count(),
                     finished ? "" : ", not all of which are known to be durable"));
    return Exit::failed;
  }

 private:
  /// The sequence at the end, when it is known already.
  std::optional<std::uint64_t> end() const { return bounds_.before ? std::nullopt : bounds_.last; }

  const ReplayOptions& options_;
  Session session_;
  const Extent there_;
  const Bounds bounds_;
  LogReader reader_;
  Printer printer_;
  std::unique_ptr<Forwarder> forwarder_;
};

void add_destination(CLI::App& command, LinkOptions& to) {
  auto* endpoint =
      command.add_option("--to", to.endpoint, "Send to this endpoint, of VTX or ZeroMQ, instead of printing")
          ->type_name("ENDPOINT")
          ->excludes(command.get_option("--format"));
  add_type(command, to.type, {"pub", "push"})->needs(endpoint);
  auto* bind = command.add_flag("--bind", to.bind, "Bind --to")->needs(endpoint);
  command.add_flag("--connect", to.connect, "Connect --to")->needs(endpoint)->excludes(bind);
}

}  // namespace

void add_replay(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<ReplayOptions>();
  auto* command = app.add_subcommand("replay", "Read the history of a queue again");
  options->log.add_to(*command);
  add_from(*command, options->from);
  command->add_option("--until", options->until, "Where to end: seq:N, time:…, or now (what is there at the beginning)")
      ->check(check_until)
      ->type_name("WHERE")
      ->capture_default_str();
  command
      ->add_option("--speed", options->speed,
                   "Keep the intervals in which the messages were sent: original, or a factor as 2 or 0.5")
      ->check(check_speed)
      ->type_name("SPEED");
  add_destination(*command, options->to);
  command->footer(kFooter);
  command->callback([options, &chosen] { chosen = [options] { return Run(*options).run(); }; });
}

}  // namespace vtx::cli
