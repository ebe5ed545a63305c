/* SPDX-License-Identifier: MPL-2.0 */
//
// What a consumer hands over, and what it passes over instead.
#include <fmt/format.h>

#include <algorithm>

#include "codec/properties.hpp"
#include "store/consumer.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

/// What was claimed later goes first when its priority is higher.
void Consumer::enqueue(const Leased& held) {
  const auto goes_after = [&](Id id) {
    const auto found = claims_.find(id);
    return found != claims_.end() && found->second.claim.priority < held.claim.priority;
  };
  queue_.insert(std::ranges::find_if(queue_, goes_after), held.claim.id);
}

Slot* Consumer::front() {
  tell_caught_up();
  while (!queue_.empty()) {
    const auto found = claims_.find(queue_.front());
    if (found == claims_.end()) {
      queue_.pop_front();
      continue;
    }
    Leased& held = found->second;
    if (!held.ready) return nullptr;
    if (held.next < held.batch->messages().size()) {
      if (is_wanted(held)) return &held.batch->slot(held.next);
      continue;
    }
    queue_.pop_front();
    // What is passed over needs no pace of the application's: the next claim may hold twice as many.
    scan_ = held.delivered ? 1 : std::min(scan_ * 2, kMaxBatch);
    if (options_.ack == Ack::none) forget(held);
  }
  return nullptr;
}

/// False when the next message need not be handed over: it was settled instead.
bool Consumer::is_wanted(Leased& held) {
  const Message& message = held.batch->messages()[held.next];
  const bool expired = has_expired(message, engine_.reactor().clock);
  const Fit fit = expired ? Fit::not_wanted : fit_of(message);
  if (fit == Fit::good) return true;
  --unsent_;
  const u32 at = offset(held, held.next++);
  if (fit == Fit::malformed || fit == Fit::too_large) {
    const auto why = fit == Fit::malformed ? wanted_.malformed
                                           : fmt::format(
                                                 "it is larger than its receiver takes: {} bytes, with a "
                                                 "ZMQ_MAXMSGSIZE of {}",
                                                 message.body.size(), wanted_.largest);
    if (!is_done(held, at))
      dead_letter(held, message.seq, why);
    else
      refuse(message.seq, why);
  } else {
    ++(expired ? stats_.expired : stats_.filtered);
    if (!is_done(held, at))
      mark(held, at, expired ? Verdict::expired : Verdict::filtered, {}, {});
    else
      ++untold_[expired ? "expired" : "filtered"];
  }
  on_passed({held.claim.stream, message.seq});
  return false;
}

/// ack=none: it was settled before anybody could look at it.
void Consumer::refuse(Seq seq, const std::string& why) {
  ++stats_.dropped;
  ++untold_["refused"];
  events_.on_link_event(VTX_EVENT_REFUSED,
                        fmt::format("message {} of queue '{}' was dropped: {}", seq, options_.queue, why));
}

Fit Consumer::fit_of(const Message& message) const {
  Fit fit = Fit::good;
  if (wanted_.judge)
    fit = wanted_.judge(message);
  else if (wanted_.filtering && !filter_.passes(first_frame(message.body, message.frames)))
    fit = Fit::not_wanted;
  return fit == Fit::good && is_larger(message, wanted_.largest) ? Fit::too_large : fit;
}

void Consumer::on_passed(Place place) {
  if (newest_.seq != 0 && place.stream == newest_.stream && place.seq >= newest_.seq) on_caught_up();
}

void Consumer::on_caught_up() {
  newest_ = {};
  if (!std::exchange(caught_up_, true)) caught_up_untold_ = wanted_.filtering;
}

/// When the next message is asked for, the one before is in the pipe: who hears of it finds there all that was.
void Consumer::tell_caught_up() {
  if (!std::exchange(caught_up_untold_, false)) return;
  events_.on_link_event(VTX_EVENT_CAUGHT_UP,
                        fmt::format("all that queue '{}' held for '{}' has been delivered: from here on it is live",
                                    options_.queue, wanted_.name.name));
}

void Consumer::pop() {
  Leased& held = claims_.find(queue_.front())->second;
  if (in_hand_ == 0) window_.on_begin(engine_.reactor().clock.now());
  ++in_hand_;
  ++held.lent;
  held.delivered = true;
  --unsent_;
  ++stats_.delivered;
  if (held.claim.delivery > 1) ++stats_.redelivered;
  if (options_.hold.count() > 0) {
    deadlines_.push_back({engine_.reactor().clock.now() + options_.hold, held.claim.id, static_cast<u32>(held.next)});
    arm_hold();
  }
  const Place place{held.claim.stream, held.batch->messages()[held.next++].seq};
  if (caught_up_ && first_live_.seq == 0) first_live_ = place;
  on_passed(place);
  watch_for_stall();
}

void Consumer::put_off(Ms delay, const std::string& why) {
  Leased& held = claims_.find(queue_.front())->second;
  --unsent_;
  const u32 at = offset(held, held.next++);
  if (is_done(held, at)) {  // ack=none: settled before hand-over
    refuse(held.batch->messages()[held.next - 1].seq, why);
    return;
  }
  ++stats_.returned;
  mark(held, at, Verdict::unseen, delay, why);
}

void Consumer::watch_for_stall() {
  if (stall_ != 0 || closing_ || !wanted_.collects || window_.is_at_ceiling() || in_hand_ < window_.size()) return;
  let_go_before_stall_ = let_go_ever_;
  stall_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + window_.patience(), [this] {
    stall_ = 0;
    stalled_ = in_hand_ >= window_.size() && let_go_ever_ == let_go_before_stall_;
    if (stalled_) window_.on_stall();
    watch_for_stall();
  });
}

void Consumer::describe(const Slot& slot, std::string& properties) const {
  const Leased& held = leased(slot.batch);
  const Place place{held.claim.stream, held.batch->messages()[slot.index].seq};
  add_property(properties, "Deliveries", fmt::format("{}", held.claim.delivery));
  if (held.claim.priority > 0) add_property(properties, "Priority", fmt::format("{}", held.claim.priority));
  if (!held.claim.reason.empty()) add_property(properties, "Reason", held.claim.reason);
  if (wanted_.filtering && place == first_live_) add_property(properties, "Caught-Up", "yes");
}

}  // namespace vtx
