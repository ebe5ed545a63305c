/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx tail`: the last messages of a log, then what comes.
#include <fmt/format.h>

#include <deque>
#include <memory>

#include "commands.hpp"
#include "link_options.hpp"
#include "log_options.hpp"
#include "report.hpp"

namespace vtx::cli {
namespace {

constexpr const char* kFooter =
    "Reads only: nothing is taken, counted or settled. With --subscribe the last N that match are shown. It runs "
    "until\n"
    "SIGINT or SIGTERM, which end it with 0.\n"
    "\n"
    "Examples:\n"
    "  vtx tail 'sqlite:/tmp/q.db?queue=ticks'\n"
    "  vtx tail 'sqlite:/tmp/q.db?queue=ticks' -n 100 --no-follow --headers\n"
    "  vtx tail 'sqlite:/tmp/q.db?queue=ticks' -n 0 --subscribe eur. --format json";

struct TailOptions {
  LogOptions log;
  std::uint64_t count = 10;
  bool no_follow = false;
};

/// Keeps the last messages put into it: copies, since those of a link fill what it may have in hand.
class Newest : public Sink {
 public:
  explicit Newest(std::uint64_t count) : count_(count) {}

  bool put(LogMessage& message) override {
    if (kept_.size() == count_) kept_.pop_front();
    if (count_ > 0) kept_.push_back(copy_of(message));
    return true;
  }
  bool flush() override { return true; }

  std::uint64_t size() const noexcept { return kept_.size(); }
  bool give_to(Sink& sink) {
    for (LogMessage& message : kept_)
      if (!sink.put(message)) return false;
    kept_.clear();
    return sink.flush();
  }

 private:
  static zmq::message_t copy_of(const zmq::message_t& frame) { return {frame.data(), frame.size()}; }
  static LogMessage copy_of(const LogMessage& message) {
    LogMessage copy;
    for (const auto& frame : message.message.frames) copy.message.frames.push_back(copy_of(frame));
    copy.message.properties = copy_of(message.message.properties);
    copy.sequence = message.sequence;
    return copy;
  }

  std::uint64_t count_;
  std::deque<LogMessage> kept_;
};

/// One run of the command. One thread.
class Run {
 public:
  explicit Run(const TailOptions& options)
      : options_(options),
        source_(options.log.source),
        there_(extent_of(session_, source_.endpoint)),
        printer_(session_.signals(), options.log.view, source_.endpoint),
        newest_(options.count) {}

  Exit run() {
    if (!find_start() || !newest_.give_to(printer_)) return stopped();
    if (options_.no_follow) return Exit::done;
    LogReading(*reader_, {}, printer_).run();
    return Exit::done;  // it was told to end, and how else should it
  }

 private:
  // As many messages back as are wanted; where some of these are not for us or gone, further and further.
  bool find_start() {
    for (std::uint64_t back = options_.count;; back *= 16) {
      const std::uint64_t start = there_.last - std::min(back, there_.last) + 1;
      reader_.reset();
      reader_ = std::make_unique<LogReader>(session_, source_, fmt::format("seq:{}", start));
      newest_ = Newest(options_.count);
      if (start > there_.last) return true;
      if (!LogReading(*reader_, {UINT64_MAX, there_.last, {}}, newest_).run()) return false;
      if (newest_.size() == options_.count || start <= there_.first || back > there_.last) return true;
    }
  }

  Exit stopped() {
    if (!options_.no_follow) return Exit::done;
    note("stopped by a signal before all was shown");
    return Exit::failed;
  }

  const TailOptions& options_;
  const LogSource& source_;
  Session session_;
  const Extent there_;
  Printer printer_;
  Newest newest_;
  std::unique_ptr<LogReader> reader_;
};

}  // namespace

void add_tail(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<TailOptions>();
  auto* command = app.add_subcommand("tail", "Show the last messages of a queue, then those that come");
  options->log.add_to(*command);
  options->log.add_headers(*command);
  command->add_option("-n", options->count, "How many of those that are there")
      ->check(check_count_or_none)
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--no-follow", options->no_follow, "End after these");
  command->footer(kFooter);
  command->callback([options, &chosen] {
    options->log.check();
    chosen = [options] { return Run(*options).run(); };
  });
}

}  // namespace vtx::cli
