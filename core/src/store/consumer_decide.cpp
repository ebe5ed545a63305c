/* SPDX-License-Identifier: MPL-2.0 */
//
// What becomes of a message in the application's hands: let go, acknowledged, given back, answered, or held for too long.
#include <fmt/format.h>

#include <algorithm>

#include "store/consumer.hpp"
#include "store/feed.hpp"
#include "store/tender.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

bool Consumer::decide(Id claim, Seq seq, Outcome outcome, std::uint32_t delay_ms) {
  const auto found = claims_.find(claim);
  if (found == claims_.end() || found->second.batch == nullptr) return false;
  const auto& messages = found->second.batch->messages();
  const auto message = std::ranges::lower_bound(messages, seq, {}, &Message::seq);
  if (message == messages.end() || message->seq != seq) return false;
  Slot& slot = found->second.batch->slot(static_cast<std::size_t>(message - messages.begin()));
  if (&slot == unconfirmed_) {
    unconfirmed_ = nullptr;
    if (outcome == Outcome::acked) {
      confirm(&slot);
    } else {
      ++stats_.nacked;
      Leased& held = found->second;
      if (std::exchange(held.resting, false)) feed_->on_rest_ended(held.claim.delivery > 1);
      nack(held, offset(held, slot.index), Ms(delay_ms), "nacked");
    }
    return true;
  }
  if (!slot.lent || !slot.decide(outcome, delay_ms)) return false;
  slot.batch->ref();
  on_decided(&slot);
  return true;
}

void Consumer::decide(Held& held, Slot& slot) { decide(static_cast<Leased&>(held), slot); }

void Consumer::decide(Leased& held, Slot& slot) {
  const u32 at = offset(held, slot.index);
  --in_hand_;
  --held.lent;
  ++let_go_;
  ++let_go_ever_;
  stalled_ = false;
  if (is_done(held, at)) {
    // With ack=none it was settled, and then it waited for room in the pipe until it was too late.
    if (slot.outcome() != Outcome::unread || !has_expired(held.batch->messages()[slot.index], engine_.reactor().clock))
      return;
    ++stats_.expired;
    ++untold_["expired"];
    return;
  }
  switch (slot.outcome()) {
    case Outcome::received:
      if (options_.ack == Ack::next && closing_) {
        give_back_unconfirmed(slot);
      } else if (options_.ack == Ack::next) {
        confirm_before();
        unconfirmed_ = &slot;
        rest();
      } else {
        mark(held, at);
      }
      break;
      // Who decides about a message has gone on from the one before, as if it had let go of this one (ack=next).
    case Outcome::acked:
      confirm_before();
      mark(held, at);
      break;
    case Outcome::nacked:
      confirm_before();
      ++stats_.nacked;
      nack(held, at, slot.delay(), "nacked");
      break;
    case Outcome::unread:
      if (slot.passed_over) {
        ++stats_.filtered;
        mark(held, at, Verdict::filtered, {}, {});
        break;
      }
      if (has_expired(held.batch->messages()[slot.index], engine_.reactor().clock)) {
        ++stats_.expired;
        mark(held, at, Verdict::expired, {}, {});
        break;
      }
      ++stats_.returned;
      mark(held, at, Verdict::unseen, {}, {});
      break;
    case Outcome::held:
    case Outcome::overdue: break;
  }
}

void Consumer::confirm(Slot* slot) {
  if (slot == nullptr) return;
  Leased& held = leased(slot->batch);
  if (std::exchange(held.resting, false)) feed_->on_rest_ended(held.claim.delivery > 1);
  mark(held, offset(held, slot->index));
}

/// The application has gone on from what it let go of last.
void Consumer::confirm_before() {
  confirm(std::exchange(unconfirmed_, nullptr));
  if (sibling_ != nullptr) sibling_->confirm(std::exchange(sibling_->unconfirmed_, nullptr));
}

void Consumer::give_back_unconfirmed(Slot& slot) {
  Leased& held = leased(slot.batch);
  mark(held, offset(held, slot.index), Verdict::unseen, {}, {});
  ++stats_.returned;
}

void Consumer::rest() {
  Leased& held = leased(unconfirmed_->batch);
  if (held.undone != 1 || held.resting) return;
  held.resting = true;
  feed_->on_claim_rests(held.claim.delivery > 1);
}

/// Decides against a lent message that nobody has decided yet; its release will mean nothing.
bool Consumer::reclaim(Leased& held, std::size_t index) { return take_from_hand(held, index, Outcome::overdue); }

bool Consumer::take_from_hand(Leased& held, std::size_t index, Outcome outcome) {
  if (!held.batch->slot(index).lent || !held.batch->slot(index).decide(outcome)) return false;
  --in_hand_;
  --held.lent;
  return true;
}

void Consumer::nack(Leased& held, u32 offset, Ms delay, const std::string& reason) {
  const bool last = max_deliveries_ > 0 && held.claim.delivery >= max_deliveries_ && !options_.queue.ends_with(".dead");
  if (last) {
    ++stats_.dead_lettered;
    events_.on_link_event(
        VTX_EVENT_DEAD_LETTERED,
        fmt::format("message {} of queue '{}' went to '{}.dead': {} at delivery {}", held.claim.first + offset,
                    options_.queue, options_.queue, reason, held.claim.delivery));
  }
  mark(held, offset, last ? Verdict::dead : Verdict::nacked, delay, reason);
}

const Message* Consumer::begin_answer(Id claim, Seq seq, u32& offset) {
  const auto found = claims_.find(claim);
  if (found == claims_.end() || found->second.batch == nullptr) return nullptr;
  Leased& held = found->second;
  const auto& messages = held.batch->messages();
  const auto message = std::ranges::lower_bound(messages, seq, {}, &Message::seq);
  if (message == messages.end() || message->seq != seq) return nullptr;
  const auto index = static_cast<std::size_t>(message - messages.begin());
  offset = this->offset(held, index);
  if (is_done(held, offset) || !take_from_hand(held, index, Outcome::acked)) return nullptr;
  ++let_go_;
  ++let_go_ever_;
  stalled_ = false;
  return &*message;
}

void Consumer::on_answered(Id claim, u32 offset, bool fenced) {
  if (fenced) return fence(claim);
  const auto found = claims_.find(claim);
  if (found == claims_.end()) return;
  Leased& held = found->second;
  if (is_done(held, offset)) return;  // given up meanwhile
  set_done(held, offset);
  ++stats_.settled;
  engine_.tender().settled(options_.queue, 1);
  forget_when_settled(held);
}

void Consumer::on_unanswered(Id claim, u32 offset, const std::string& why) {
  const auto found = claims_.find(claim);
  if (found == claims_.end()) return;
  if (is_done(found->second, offset)) return;
  ++stats_.nacked;
  nack(found->second, offset, {}, why);
}

void Consumer::arm_hold() {
  if (hold_timer_ != 0 || deadlines_.empty()) return;
  hold_timer_ = engine_.reactor().timers.at(deadlines_.front().due, [this] { on_hold(); });
}

void Consumer::on_hold() {
  hold_timer_ = 0;
  const Steady now = engine_.reactor().clock.now();
  u32 exceeded = 0;
  for (; !deadlines_.empty() && deadlines_.front().due <= now; deadlines_.pop_front()) {
    const auto found = claims_.find(deadlines_.front().claim);
    if (found == claims_.end()) continue;
    Leased& held = found->second;
    const u32 index = deadlines_.front().index;
    if (!reclaim(held, index)) continue;
    if (is_done(held, offset(held, index))) continue;
    ++exceeded;
    ++stats_.nacked;
    nack(held, offset(held, index), {}, "neither released nor acknowledged within `hold`");
  }
  if (exceeded > 0) {
    events_.on_link_event(
        VTX_EVENT_HOLD_EXCEEDED,
        fmt::format("{} messages of queue '{}' were neither released nor acknowledged within {} ms and go to others",
                    exceeded, options_.queue, options_.hold.count()));
  }
  arm_hold();
}

}  // namespace vtx
