/* SPDX-License-Identifier: MPL-2.0 */
//
// The end of a link: what was let go counts, what is unread goes back, what was sent is made durable within the linger, and only then it departs.
#include <fmt/format.h>

#include "bridge/reaper.hpp"
#include "manager/link.hpp"
#include "store/held_name.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

void Link::begin_close(int linger_ms) {
  if (closing()) return;
  phase_ = Phase::closing;
  linger_ms_ = linger_ms;
  if (opened_) std::exchange(opened_, nullptr)(Status(Code::lost, "the link was closed"));
  if (gate_) gate_->closing.store(true, std::memory_order_release);
  decide_releases();  // what was let go before the end is not given back
  return_pending();
  if (receiver_) receiver_->close();
  if (producer_ && linger_ms_ >= 0) {
    linger_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + Ms(linger_ms_), [this] {
      linger_ = 0;
      linger_over_ = true;
    });
  }
}

void Link::notice_close() {
  awaits_close_ = false;
  begin_close(linger_ms_);
  if (!receiver_) return;
  // libzmq tells that the socket goes in several steps, and a sentinel may be the first to know: after the first probe all of them have
  // been taken. The reaper lets go of what was unread when it has our answer, which is ahead of the second.
  probes_ = 2;
  probe();
}

/// What was unread is with the reaper; a probe that follows it there tells when it has been let go.
void Link::probe() {
  --probes_;
  probe_due_ = false;
  const bool sent = gate_->lent() > 0 && probe_reaper(home_.zmq_context, [gate = gate_] {
                      gate->probed.store(true);
                      gate->queue->nudge();
                    });
  if (!sent) give_back(true);
}

void Link::on_probed() {
  if (probes_ <= 0) return give_back(true);
  probe_due_ = true;
  look_ = true;
}

void Link::on_disconnected() {
  if (!pipe_ || !pipe_->arrived()) return;
  if (pipe_->outlives_disconnect()) detached_ = true;
  look();
  look_ = true;
}

void Link::decide_releases() {
  for (Slot* slot = home_.releases->take(); slot != nullptr;) {
    Slot* next = slot->next;
    Receiver::on_decided(slot);
    slot = next;
  }
}

void Link::give_back(bool unread_told) {
  if (!receiver_) return;
  decide_releases();  // they are queued before this is called
  abandon(unread_told);
}

/// What is in hand goes back; but first what answers some of it must be heard.
void Link::abandon(bool counted) {
  if (!receiver_ || abandon_) return;
  abandon_ = counted;
  look_ = true;
}

void Link::detach() {
  detached_ = true;
  begin_close(request_.linger_ms);
  look_ = true;
  abandon(false);  // what is unread cannot be told from what is in hand
}

void Link::on_context_terminated() {
  pipe_gone_ = true;
  pipe_empty_ = true;
  begin_close(linger_ms_);
  abandon(false);  // what is unread cannot be told from what is in hand
  close_pipe();    // zmq_ctx_term waits for it
}

/// Nothing is left in the pipe, nor on its way to the store.
bool Link::all_sent() const {
  if (!producer_) return true;
  return (!pipe_ || (pipe_empty_ && (pipe_gone_ || detached_))) && producer_->idle();
}

bool Link::finish() {
  if (phase_ == Phase::done) return false;
  if (producer_) {
    const bool stuck = !engine_.live() || !producer_->is_open() || !producer_->trouble().ok();
    if (linger_over_ && stuck && !given_up_ && !all_sent()) on_linger_expired();
    if (!given_up_ && !all_sent()) return false;
  }
  if (receiver_ && !receiver_->done()) return false;
  if (!depart()) return false;
  drop();
  return true;
}

/// The store forgets who we were. False while its answer is to come.
bool Link::depart() {
  if (departed_ || !engine_.live()) return true;
  if (departing_ > 0) return false;
  const auto answered = [self = shared_from_this()] { self->departed_ = --self->departing_ == 0; };
  if (const auto producer = producer_ ? producer_->watermark() : std::nullopt; producer && producer_->idle()) {
    ++departing_;
    engine_.submit(Forget{*producer}, [answered](Completion&) { answered(); });
  }
  if (name_) {
    ++departing_;
    name_->release(answered);
  }
  departed_ = departing_ == 0;
  return departed_;
}

void Link::on_linger_expired() {
  std::uint64_t dropped = producer_->taken() - producer_->done();
  bool more = false;
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  while (pipe_ && pipe_->arrived() && pipe_->receive(&frame, &more) == Pipe::Io::done) {
    if (!more) ++dropped;
  }
  zmq_msg_close(&frame);
  stats_.dropped += dropped;
  pipe_empty_ = true;
  given_up_ = true;
  producer_->give_up();
  on_link_event(
      VTX_EVENT_LINGER_EXPIRED,
      fmt::format("{} messages were not stored within the linger of {} ms and are dropped", dropped, linger_ms_));
}

void Link::close_pipe() {
  if (!pipe_) return;
  for (const int fd : pipe_->fds()) home_.unwatch(fd);
  if (peers_) peers_->detach();
  pipe_.reset();
}

void Link::drop() {
  if (phase_ == Phase::done) return;
  phase_ = Phase::done;
  if (gate_) gate_->closing.store(true, std::memory_order_release);
  if (opened_) std::exchange(opened_, nullptr)(Status(Code::lost, "the link was closed"));
  return_pending();
  if (receiver_ && !receiver_->done()) receiver_->drop();
  if (producer_) producer_->drop();
  close_pipe();
  if (name_) name_->drop();
  engine_.remove(this);
  monitor(ZMQ_EVENT_CLOSED);
  for (Flush& flush : flushes_) flush.call->answer(Status(Code::fenced, "the link ended before all was durable"));
  flushes_.clear();
}

}  // namespace vtx
