/* SPDX-License-Identifier: MPL-2.0 */
//
// See ask.hpp.
#include "ask.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "endpoint_text.hpp"
#include "inputs.hpp"
#include "output.hpp"
#include "receive.hpp"
#include "report.hpp"
#include "sender.hpp"

namespace vtx::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Time = std::chrono::milliseconds;

constexpr Time kForEver = std::chrono::hours(1);  // a wait is begun again at its end
constexpr int kStoreMs = 5000;                    // for a request that nobody waits for any more

// The answers are here, and stay so; but what the worker has kept of them in the store may be gone.
constexpr const char* kLost =
    "; the store went back in time meanwhile: it may not know of requests that were answered, or have them worked on "
    "again";

/// Asks in one run of the command. One thread.
class Run {
 public:
  Run(const LinkOptions& link, const std::vector<std::string>& files, const std::string& id,
      std::optional<Time> timeout)
      : format_(link.format),
        with_properties_(link.carries_properties()),
        timeout_(timeout),
        link_(session_, ZMQ_REQ, link.linked(), link.side(), {.routing_id = id}),
        sender_(link_, with_properties_),
        inputs_(files, format_named(format_), [this](int fd) { return wait_for_input(link_, fd); }),
        output_(STDOUT_FILENO, session_.signals()),
        progress_(isatty(STDOUT_FILENO) == 0) {}

  Exit run() {
    try {
      ask_all();
      (void)link_.wait(0, -1, Time(0));  // an event may tell that the store went back
    } catch (const Failure&) {
      report();
      throw;
    }
    report();
    return ended_by_.empty() && !link_.went_back() ? Exit::done : Exit::failed;
  }

 private:
  void ask_all() {
    Message message;
    MessageReader::Next next;
    while ((next = inputs_.next(message)) == MessageReader::Next::message) {
      unanswered_ = sender_.send(message);
      if (!unanswered_) return on_signal();
      if (!await_reply(message)) return;
      unanswered_ = false;
      if (!write(message)) return on_signal();
      ++answered_;
      if (progress_.due()) progress_.show(answered_, std::nullopt, inputs_.left());
    }
    if (next == MessageReader::Next::stopped) on_signal();
  }

  bool await_reply(Message& reply) {
    const auto begin = Clock::now();
    while (!receive(link_, with_properties_, reply)) {
      const auto left = timeout_ ? std::chrono::ceil<Time>(begin + *timeout_ - Clock::now()) : kForEver;
      if (left <= Time(0)) {
        ended_by_ = "no reply came in time; ";
        return false;
      }
      if (link_.wait(ZMQ_POLLIN, -1, left).stop) {
        on_signal();
        return false;
      }
    }
    return true;
  }

  /// The reply leaves its mailbox when it is let go, which is after this. @return false when a signal cut it short
  bool write(const Message& reply) {
    text_.clear();
    if (const char* misfit = encode(format_named(format_), reply, text_))
      throw Failure(fmt::format("{}: reply {} {}, which --format {} cannot show: use --format frames or json",
                                link_.endpoint(), answered_ + 1, misfit, format_));
    return output_.write(text_) == text_.size();
  }

  void on_signal() { ended_by_ = "stopped by a signal; "; }

  void report() {
    std::string rest;
    if (unanswered_) {
      const bool stored = !is_plain(link_.endpoint()) && vtx_flush(session_.vtx(), link_.socket(), kStoreMs) == 0;
      if (!stored) link_.abandon();
      rest = stored ? ", one more stays in the queue" : ", one more was sent and may be lost";
    }
    if (link_.went_back()) rest += kLost;
    note(fmt::format("{}{} requests answered{}", ended_by_, answered_, rest));
  }

  const std::string format_;
  const bool with_properties_;
  const std::optional<Time> timeout_;
  Session session_;
  Link link_;
  Sender sender_;
  Inputs inputs_;
  Output output_;
  Progress progress_;
  std::string text_;
  std::string ended_by_;     // before the input was at its end
  bool unanswered_ = false;  // a request is out
  std::uint64_t answered_ = 0;
};

}  // namespace

Exit ask(const LinkOptions& link, const std::vector<std::string>& files, const std::string& id,
         std::optional<std::chrono::milliseconds> timeout) {
  return Run(link, files, id, timeout).run();
}

}  // namespace vtx::cli
