/* SPDX-License-Identifier: MPL-2.0 */
#include "store/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codec/properties.hpp"
#include "pattern/peer.hpp"
#include "store/tender.hpp"
#include "vtx/driver/names.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

namespace {
constexpr Ms kAfterTrouble{250};  // a read that failed is tried again after this
}

Reader::Reader(Engine& engine, const LinkOptions& options, std::string from, std::int64_t largest,
               std::shared_ptr<Gate> gate, BatchRegistry& registry, LinkStats& stats, LinkEvents& events)
    : engine_(engine),
      options_(options),
      from_(std::move(from)),
      largest_(largest),
      gate_(std::move(gate)),
      registry_(registry),
      stats_(stats),
      events_(events),
      peer_(is_anonymous(options.log_peer) ? options.log_peer : peer_name(options.log_peer)) {
  engine_.add(this);
}

Reader::~Reader() {
  engine_.reactor().timers.cancel(again_);
  engine_.remove(this);
}

void Reader::open(Id queue, Opened opened) {
  const bool create = peer_.empty();
  engine_.submit(OpenStream{queue, options_.log, peer_, 0, create},
                 [self = shared_from_this(), this, opened = std::move(opened)](Completion& answer) mutable {
                   if (answer.status.code() == Code::not_found && !peer_.empty())
                     answer.status = unknown_peer(options_.log_peer, options_.queue);
                   if (!answer.status.ok()) return opened(answer.status);
                   stream_ = answer.id;
                   if (placed_) {
                     // What was appended since the store went back is new, however much that is by now; so is all of another store.
                     if (std::exchange(other_epoch_, false)) {
                       next_ = std::min(next_, answer.fork.value_or(answer.head) + 1);
                       newest_seen_ = answer.head;
                     }
                     (void)went_back(answer);
                     on_changed();
                     return opened(answer.status);
                   }
                   other_epoch_ = false;
                   locate(std::move(opened));
                 });
}

void Reader::locate(Opened opened) {
  engine_.submit(Locate{stream_, from_},
                 [self = shared_from_this(), this, opened = std::move(opened)](Completion& answer) {
                   if (answer.status.ok()) on_located(answer);
                   opened(answer.status);
                 });
}

void Reader::on_located(const Completion& answer) {
  placed_ = true;
  next_ = answer.first;
  newest_seen_ = answer.head;
  on_changed();
}

void Reader::on_lost() { stream_ = 0; }

/// What was fetched and not handed over may be no more: it is read again, if it is there.
void Reader::on_epoch() {
  other_epoch_ = true;
  newest_ = 0;
  if (const Fetched* first = current()) next_ = first->batch->messages()[first->next].seq;
  while (Fetched* batch = current()) {
    batch->next = batch->batch->messages().size();
    if (batch->lent == 0) forget(*batch);
  }
  unsent_ = 0;
}

void Reader::set_filter(const Filter& filter) {
  filter_ = filter;
  on_changed();
}

void Reader::close() {
  closing_ = true;
  engine_.reactor().timers.cancel(again_);
  while (!batches_.empty()) forget(batches_.front());
  unsent_ = in_hand_ = 0;
}

void Reader::drop() {
  close();
  dropped_ = true;
}

/// Messages to read now: in halves, so that a read is worth its cost and the application does not wait for it.
u32 Reader::room() const {
  if (closing_ || reading_ || drained_ || stream_ == 0 || !placed_ || again_ != 0 || filter_.empty()) return 0;
  if (gate_->pinned_bytes.load(std::memory_order_relaxed) >= options_.prefetch_bytes) return 0;
  const u64 have = in_hand_ + unsent_;
  return have > options_.prefetch / 2 ? 0 : std::min(options_.prefetch - static_cast<u32>(have), kMaxBatch);
}

bool Reader::work() {
  const u32 messages = engine_.live() ? room() : 0;
  if (messages == 0) return false;
  reading_ = true;
  engine_.submit(
      Read{stream_, next_, {messages, kMaxBatchBytes}, true},
      [self = shared_from_this(), this, changes = changes_](Completion& answer) { on_read(changes, answer); });
  return true;
}

void Reader::on_read(u64 changes, Completion& answer) {
  reading_ = false;
  if (dropped_ || closing_) return;
  const Code code = answer.status.code();
  if (code == Code::lost || code == Code::in_doubt) return;
  if (answer.status.ok() == troubled_) {
    troubled_ = !answer.status.ok();
    events_.on_link_event(troubled_ ? VTX_EVENT_TROUBLE : VTX_EVENT_RECOVERED,
                          troubled_ ? answer.status.text() : "messages are read again");
  }
  if (troubled_) {
    again_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + kAfterTrouble, [this] { again_ = 0; });
    return;
  }
  if (went_back(answer)) return;
  const Seq first = answer.messages.empty() ? std::max(next_, answer.tail) : answer.messages.front().seq;
  if (first > next_) {
    stats_.trimmed += first - next_;
    events_.on_link_event(VTX_EVENT_TRIMMED,
                          fmt::format("{} messages of queue '{}' were removed by its retention before they were read",
                                      first - next_, options_.queue));
    next_ = first;
  }
  if (answer.messages.empty()) {
    // What was appended since it was asked for may have overtaken the answer.
    drained_ = changes == changes_;
    if (answer.due_in) engine_.tender().delayed(options_.queue, *answer.due_in);
    if (unsent_ == 0) on_caught_up();
    return;
  }
  keep(answer);
}

/// Second line, for what no store notices: messages are gone that nobody but readers had seen. It goes on with what is new.
bool Reader::went_back(const Completion& answer) {
  const Seq before = std::exchange(newest_seen_, answer.head);
  if (answer.head >= before || next_ <= answer.head + 1) return false;
  next_ = answer.head + 1;
  on_changed();
  events_.on_link_event(VTX_EVENT_EPOCH,
                        fmt::format("queue '{}' ends at message {} now and ended at {} before: its store went back in "
                                    "time, as by a restored backup; reading goes on with what is new",
                                    options_.queue, answer.head, before));
  return true;
}

void Reader::keep(Completion& answer) {
  next_ = answer.messages.back().seq + 1;
  if (!caught_up_ && newest_ == 0 && next_ > answer.head) newest_ = answer.messages.back().seq;
  unsent_ += answer.messages.size();
  Fetched& fetched = batches_.emplace_back();
  fetched.receiver = this;
  fetched.batch = Batch::create(gate_, std::move(answer.buffer), std::move(answer.messages));
  fetched.batch->owner = static_cast<Held*>(&fetched);
  registry_.add(fetched.batch);
}

/// The batch whose messages are being handed over; nullptr when there is none.
Reader::Fetched* Reader::current() {
  const auto found = std::ranges::find_if(batches_, [](const Fetched& batch) { return !batch.handed_over(); });
  return found == batches_.end() ? nullptr : &*found;
}

Slot* Reader::front() {
  tell_caught_up();
  if (filter_.empty()) return nullptr;
  while (Fetched* batch = current()) {
    const Message& message = batch->batch->messages()[batch->next];
    if (is_wanted(message)) return &batch->batch->slot(batch->next);
    pass(*batch);
  }
  return nullptr;
}

/// Goes on behind the next message of the batch.
void Reader::pass(Fetched& batch) {
  const Seq seq = batch.batch->messages()[batch.next++].seq;
  --unsent_;
  if (seq == newest_) on_caught_up();
  if (batch.handed_over() && batch.lent == 0) forget(batch);
}

bool Reader::is_wanted(const Message& message) {
  if (!filter_.passes(first_frame(message.body, message.frames)) || is_larger(message, largest_)) {
    ++stats_.filtered;
    return false;
  }
  if (!has_expired(message, engine_.reactor().clock)) return true;
  ++stats_.expired;
  return false;
}

void Reader::pop() {
  Fetched& batch = *current();
  ++batch.lent;
  ++in_hand_;
  ++stats_.delivered;
  if (caught_up_ && first_live_ == 0) first_live_ = batch.batch->messages()[batch.next].seq;
  pass(batch);
}

void Reader::describe(const Slot& slot, std::string& properties) const {
  if (slot.batch->messages()[slot.index].seq == first_live_) add_property(properties, "Caught-Up", "yes");
}

void Reader::decide(Held& held, Slot& slot) {
  auto& batch = static_cast<Fetched&>(held);
  if (slot.outcome() == Outcome::unread && has_expired(slot.batch->messages()[slot.index], engine_.reactor().clock))
    ++stats_.expired;
  --batch.lent;
  --in_hand_;
  if (batch.handed_over() && batch.lent == 0) forget(batch);
}

void Reader::forget(Fetched& batch) {
  registry_.remove(batch.batch);
  batch.batch->owner = nullptr;
  batch.batch->unref();
  batches_.remove_if([&](const Fetched& one) { return &one == &batch; });
}

void Reader::on_caught_up() {
  newest_ = 0;
  if (!std::exchange(caught_up_, true)) caught_up_untold_ = true;
}

/// When the next message is asked for, the one before is in the pipe: who hears of it finds there all that was.
void Reader::tell_caught_up() {
  if (!std::exchange(caught_up_untold_, false)) return;
  events_.on_link_event(
      VTX_EVENT_CAUGHT_UP,
      fmt::format("all that queue '{}' held has been delivered: from here on it is live", options_.queue));
}

}  // namespace vtx
