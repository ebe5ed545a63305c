/* SPDX-License-Identifier: MPL-2.0 */
//
// See answer.hpp. Apart from recv, which takes whole batches: a REP socket must answer one request before it gets the next.
#include "answer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "endpoint_text.hpp"
#include "format.hpp"
#include "idle.hpp"
#include "output.hpp"
#include "receive.hpp"
#include "report.hpp"
#include "sender.hpp"

namespace vtx::cli {
namespace {

/// Whose members share the requests.
std::optional<std::string> group_of(const LinkOptions& link) {
  if (is_plain(link.endpoint)) return std::nullopt;
  return link.side() == Side::bind ? "up/default" : "down/default";
}

/// Answers in one run of the command. One thread.
class Run {
 public:
  Run(const LinkOptions& link, const std::string& reply, std::uint64_t count, std::optional<Idle::Time> idle)
      : format_(link.format),
        with_properties_(link.carries_properties()),
        reply_(reply),
        count_(count),
        link_(session_, ZMQ_REP, link.linked(), link.side()),
        sender_(link_, with_properties_),
        output_(STDOUT_FILENO, session_.signals()),
        idle_(link_, group_of(link), idle),
        progress_(isatty(STDOUT_FILENO) == 0) {}

  Exit run() {
    answer_all();
    if (!sender_.flush()) {
      link_.abandon();
      note(fmt::format("stopped by a signal; {} of {} replies are known to be durable", link_.stats().durable,
                       sender_.count()));
      return Exit::failed;
    }
    if (!stopped_ || count_ == UINT64_MAX) return Exit::done;
    note(fmt::format("stopped by a signal after {} of {} requests", sender_.count(), count_));
    return Exit::failed;
  }

 private:
  void answer_all() {
    idle_.start();
    while (sender_.count() < count_ && !stopped_) {
      const bool idle = idle_.is_over();  // before looking for more: asking takes time, in which requests may have come
      Message request;
      const bool any = receive(link_, with_properties_, request);
      if (any) {
        stopped_ = !answer(request);
        idle_.start();
      } else if (idle) {
        return;
      }
      if (progress_.due()) progress_.show(sender_.count(), link_.depth(), std::nullopt);
      if (!stopped_ && sender_.count() < count_) stopped_ = must_stop(any);
    }
  }

  /// A request that was not written whole is not answered: when the link is closed, it goes to another worker.
  /// @return false when a signal cut it short
  bool answer(Message& request) {
    text_.clear();
    if (const char* misfit = encode(format_named(format_), request, text_)) refuse(request, misfit);
    if (output_.write(text_) < text_.size()) return false;
    Message reply;
    reply.frames.emplace_back(reply_.data(), reply_.size());
    return sender_.send(reply);
  }

  [[noreturn]] void refuse(Message& request, const char* misfit) {
    vtx_nack(session_.vtx(), request.frames.back().handle(), 0);
    throw Failure(fmt::format(
        "{}: request {} {}, which --format {} cannot show; it stays in the queue: use --format frames or json",
        link_.endpoint(), sender_.count() + 1, misfit, format_));
  }

  /// Looks for signals and events; waits for requests unless there was one.
  bool must_stop(bool any) {
    auto time = any ? Idle::Time(0) : idle_.next_look();
    if (progress_.shown()) time = std::min(time, Idle::Time(1000));
    return link_.wait(ZMQ_POLLIN, -1, time).stop;
  }

  const std::string format_;
  const bool with_properties_;
  const std::string reply_;
  const std::uint64_t count_;
  Session session_;
  Link link_;
  Sender sender_;
  Output output_;
  Idle idle_;
  Progress progress_;
  std::string text_;
  bool stopped_ = false;
};

}  // namespace

Exit answer(const LinkOptions& link, const std::string& reply, std::uint64_t count,
            std::optional<std::chrono::milliseconds> idle) {
  return Run(link, reply, count, idle).run();
}

}  // namespace vtx::cli
