/* SPDX-License-Identifier: MPL-2.0 */
#include "store/consumer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codec/properties.hpp"
#include "store/feed.hpp"
#include "store/holder.hpp"
#include "store/tender.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

namespace {
constexpr Ms kAfterTrouble{250};  // a settlement that failed for a passing reason is tried again after this
}

Consumer::Consumer(Engine& engine, const LinkOptions& options, Group group, std::shared_ptr<Gate> gate,
                   BatchRegistry& registry, LinkStats& stats, LinkEvents& events)
    : engine_(engine),
      options_(options),
      wanted_(std::move(group)),
      gate_(std::move(gate)),
      registry_(registry),
      stats_(stats),
      events_(events),
      feed_(engine.feed(options.queue, wanted_.name)),
      // Who acknowledges by hand may want to hold any number before the first is done; `prefetch` says how many.
      window_(options.prefetch, options.ack == Ack::manual) {}

Consumer::~Consumer() {
  engine_.reactor().timers.cancel(hold_timer_);
  engine_.reactor().timers.cancel(settle_again_);
  engine_.reactor().timers.cancel(stall_);
  engine_.reactor().timers.cancel(filter_again_);
}

void Consumer::open(Id queue, Opened opened) {
  queue_id_ = queue;
  const GroupName& name = wanted_.name;
  OpenGroup open{queue, name.kind, name.peer, name.name, wanted_.from, {}, options_.max_deliveries, 10};
  engine_.submit(std::move(open), [self = shared_from_this(), this, opened = std::move(opened)](Completion& answer) {
    if (answer.status.ok()) on_open(answer);
    opened(answer.status);
  });
}

void Consumer::on_open(const Completion& answer) {
  group_ = answer.id;
  max_deliveries_ = answer.max_deliveries;
  feed_->on_changed();
  if (!wanted_.name.peer.empty()) engine_.on_joined(options_.queue);
  if (joined_ || closing_) return;
  joined_ = true;
  feed_->join(this);
  engine_.holder().join(options_.lease);
  engine_.tender().settled(options_.queue, 0);
}

void Consumer::on_lost() { group_ = 0; }

/// Nothing is to be settled by the numbers of claims that another epoch gave out.
void Consumer::on_epoch() {
  while (!claims_.empty()) fence(claims_.begin()->first);
}

/// Somebody dropped the group by hand. Who still wants it makes it anew, as the first one did.
void Consumer::make_again() {
  group_ = 0;
  if (closing_ || !engine_.live()) return;
  open(queue_id_, [self = shared_from_this(), this](const Status& status) {
    if (!status.ok() && !dropped_) tell_trouble(status, "");
  });
}

void Consumer::set_filter(const Filter& filter) {
  filter_ = filter;
  filter_is_new_ = true;
  feed_->on_changed();
  if (!filter_.empty()) return;
  // Nobody has subscribed to it, so it is not this consumer's to pass over.
  give_back_unsent();
}

/// Keeps the filter with the cursor, for people to see. An empty one says only that nobody has subscribed yet.
bool Consumer::keep_filter() {
  if (!filter_is_new_ || filter_again_ != 0 || filter_.empty() || group_ == 0 || !engine_.live() || closing_)
    return false;
  filter_is_new_ = false;
  const GroupName& name = wanted_.name;
  OpenGroup open{queue_id_, name.kind, name.peer, name.name, wanted_.from, filter_.encode(), {}, 10};
  engine_.submit(std::move(open), [self = shared_from_this(), this](Completion& answer) {
    if (answer.status.ok() || dropped_) return;
    filter_is_new_ = true;
    filter_again_ =
        engine_.reactor().timers.at(engine_.reactor().clock.now() + kAfterTrouble, [this] { filter_again_ = 0; });
  });
  return true;
}

void Consumer::close() {
  if (closing_) return;
  closing_ = true;
  if (joined_) feed_->leave(this);
  engine_.reactor().timers.cancel(stall_);
  give_back_unsent();
  // Together with what was not handed over, so that both come again in order. A release that is only heard of later finds closing_ set.
  if (unconfirmed_ != nullptr) give_back_unconfirmed(*std::exchange(unconfirmed_, nullptr));
  leave_when_empty();
}

void Consumer::abandon(bool counted) {
  for (auto& [id, held] : claims_) {
    for (std::size_t i = 0; i < held.next; ++i) {
      if (!reclaim(held, i)) continue;
      const u32 at = offset(held, i);
      if (is_done(held, at)) continue;
      if (counted) {
        nack(held, at, {}, "the link was closed with the message in hand");
      } else {
        ++stats_.returned;
        mark(held, at, Verdict::unseen, {}, {});
      }
    }
  }
}

void Consumer::drop() {
  closing_ = true;
  dropped_ = true;
  feed_->leave(this);
  leave_when_empty();
  while (!claims_.empty()) {
    Leased& held = claims_.begin()->second;
    if (held.batch != nullptr) {
      for (std::size_t i = 0; i < held.batch->messages().size(); ++i)
        (void)held.batch->slot(i).decide(Outcome::overdue);
    }
    forget(held);
  }
  dirty_.clear();
  queue_.clear();
  unconfirmed_ = nullptr;
}

u32 Consumer::room() const {
  if (closing_ || group_ == 0 || submitted_ > 0) return 0;
  if (wanted_.filtering && filter_.empty()) return 0;
  // An unconfirmed message (ack=next) pins its batch until another follows: alone it must not keep that one out.
  const bool only_unconfirmed = unconfirmed_ != nullptr && in_hand_ + unsent_ == 0 && gate_->lent.load() == 0;
  if (!only_unconfirmed && gate_->pinned_bytes.load(std::memory_order_relaxed) >= options_.prefetch_bytes) return 0;
  const u64 have = in_hand_ + unsent_;
  const u32 window = std::max(window_.size(), std::min(scan_, options_.prefetch));
  // Asked for in halves, so that a claim is worth its cost and the application does not wait for it.
  return (have > window / 2 && !stalled_) || have >= window ? 0 : std::min(window - static_cast<u32>(have), kMaxBatch);
}

u64 Consumer::on_claim_submitted() {
  ++submitted_;
  number_ = lost_number_ != 0 ? std::exchange(lost_number_, 0) : engine_.holder().next_number();
  return number_;
}

void Consumer::on_claim(Completion& answer) {
  --submitted_;
  if (answer.status.code() == Code::lost || answer.status.code() == Code::in_doubt) lost_number_ = number_;
  if (dropped_) return;
  tell_trouble(answer.status, "messages are claimed again");
  if (answer.status.code() == Code::not_found) make_again();
  if (!caught_up_ && newest_.seq == 0 && answer.status.ok()) {
    if (answer.claim && answer.claim->last >= answer.head && !answer.more)
      newest_ = {answer.claim->stream, answer.claim->last};
    if (!answer.claim && !answer.retry_waiting && !answer.retry_later) on_caught_up();
  }
  if (!answer.claim) return;
  const Claim& claim = *answer.claim;
  ++stats_.claims;
  Leased& held = claims_[claim.id];
  held.claim = claim;
  held.receiver = this;
  held.undone = static_cast<u32>(claim.last - claim.first + 1);
  held.done.assign((held.undone + 63) / 64, 0);
  feed_->on_claim_opened(claim.delivery > 1);
  if (!answer.messages.empty()) {
    held.batch = Batch::create(gate_, std::move(answer.buffer), std::move(answer.messages));
    held.batch->owner = static_cast<Held*>(&held);
    registry_.add(held.batch);
  }
  // A sequence without a message was removed (dropped from a dead-letter queue, trimmed): nothing to wait for.
  std::size_t found = 0;
  const std::size_t count = held.batch == nullptr ? 0 : held.batch->messages().size();
  for (Seq seq = claim.first; seq <= claim.last; ++seq) {
    if (found < count && held.batch->messages()[found].seq == seq) {
      ++found;
    } else {
      mark(held, static_cast<u32>(seq - claim.first));
    }
  }
  unsent_ += count;
  if (count == 0) return;
  if (max_deliveries_ > 0 && claim.delivery > max_deliveries_ && !options_.queue.ends_with(".dead")) {
    dead_letter(held);
  } else if (closing_) {
    give_back_unsent(held);
  } else {
    if (options_.ack == Ack::none) {
      held.ready = false;
      for (std::size_t i = 0; i < count; ++i) mark(held, offset(held, i));
    }
    enqueue(held);
  }
}

/// What was claimed later goes first when its priority is higher.
void Consumer::enqueue(const Leased& held) {
  const auto goes_after = [&](Id id) {
    const auto found = claims_.find(id);
    return found != claims_.end() && found->second.claim.priority < held.claim.priority;
  };
  queue_.insert(std::ranges::find_if(queue_, goes_after), held.claim.id);
}

void Consumer::dead_letter(Leased& held) {
  const std::string reason = held.claim.reason.empty()
                                 ? fmt::format("delivered {} times and never settled", held.claim.delivery - 1)
                                 : held.claim.reason;
  for (; held.next < held.batch->messages().size(); ++held.next) {
    --unsent_;
    dead_letter(held, held.batch->messages()[held.next].seq, reason);
  }
}

void Consumer::dead_letter(Leased& held, Seq seq, const std::string& reason) {
  ++stats_.dead_lettered;
  mark(held, static_cast<u32>(seq - held.claim.first), Verdict::dead, {}, reason);
  events_.on_link_event(VTX_EVENT_DEAD_LETTERED, fmt::format("message {} of queue '{}' went to '{}.dead': {}", seq,
                                                             options_.queue, options_.queue, reason));
}

void Consumer::give_back_unsent() {
  for (auto entry = claims_.begin(); entry != claims_.end();) {
    Leased& held = (entry++)->second;
    give_back_unsent(held);
    // With ack=none it may have been recorded long ago, and waited only to be handed over.
    if (options_.ack == Ack::none && held.ready && held.undone == 0 && held.marked == 0) forget(held);
  }
  queue_.clear();
}

void Consumer::give_back_unsent(Leased& held) {
  if (held.batch == nullptr) return;
  for (; held.next < held.batch->messages().size(); ++held.next) {
    --unsent_;
    const u32 at = offset(held, held.next);
    if (is_done(held, at)) continue;  // ack=none: settled before hand-over, and so lost to nobody but us
    ++stats_.returned;
    mark(held, at, Verdict::unseen, {}, {});
  }
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
  if (fit == Fit::malformed) {
    if (!is_done(held, at)) dead_letter(held, message.seq, wanted_.malformed);
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

Fit Consumer::fit_of(const Message& message) const {
  if (wanted_.judge) return wanted_.judge(message);
  if (!wanted_.filtering || filter_.passes(first_frame(message.body, message.frames))) return Fit::good;
  return Fit::not_wanted;
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
    ++stats_.dropped;
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

/// Once when it begins and once when it is over; that the session is lost is told for the whole link.
void Consumer::tell_trouble(const Status& status, const char* recovered) {
  if (status.code() == Code::lost || status.code() == Code::in_doubt || status.ok() != troubled_) return;
  troubled_ = !status.ok();
  events_.on_link_event(troubled_ ? VTX_EVENT_TROUBLE : VTX_EVENT_RECOVERED, troubled_ ? status.text() : recovered);
}

/// Decides against a lent message that nobody has decided yet; its release will mean nothing.
bool Consumer::reclaim(Leased& held, std::size_t index) { return take_from_hand(held, index, Outcome::overdue); }

bool Consumer::take_from_hand(Leased& held, std::size_t index, Outcome outcome) {
  if (!held.batch->slot(index).lent || !held.batch->slot(index).decide(outcome)) return false;
  --in_hand_;
  --held.lent;
  return true;
}

Consumer::Leased& Consumer::leased(const Batch* batch) {
  return static_cast<Leased&>(*static_cast<Held*>(batch->owner));
}

u32 Consumer::offset(const Leased& held, std::size_t index) {
  return static_cast<u32>(held.batch->messages()[index].seq - held.claim.first);
}

bool Consumer::is_done(const Leased& held, u32 offset) { return (held.done[offset / 64] >> (offset % 64) & 1) != 0; }

void Consumer::set_done(Leased& held, u32 offset) {
  held.done[offset / 64] |= u64{1} << (offset % 64);
  --held.undone;
}

void Consumer::mark(Leased& held, u32 offset) {
  set_done(held, offset);
  if (held.marked++ == 0) dirty_.push_back(held.claim.id);
}

void Consumer::mark(Leased& held, u32 offset, Verdict verdict, Ms delay, std::string reason) {
  mark(held, offset);
  held.odd.push_back({offset, verdict, delay, std::move(reason)});
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

bool Consumer::work() {
  const bool kept = keep_filter();
  return settle() || kept;
}

bool Consumer::settle() {
  if (unconfirmed_ != nullptr) rest();  // the last of its neighbours may have been given back by `hold`
  if (let_go_ > 0) window_.on_settled(std::exchange(let_go_, 0), engine_.reactor().clock.now(), in_hand_);
  if (settling_ || settle_again_ != 0 || !engine_.live() || group_ == 0) return false;
  if (dirty_.empty() && untold_.empty()) return false;
  Commit commit;
  commit.sync = options_.ack == Ack::none;
  std::vector<Sent> sent;
  sent.reserve(dirty_.size());
  for (const Id id : dirty_) {
    const auto found = claims_.find(id);
    if (found == claims_.end()) continue;
    Leased& held = found->second;
    sent.push_back({id, std::exchange(held.marked, 0), held.undone == 0, std::exchange(held.in_doubt, false)});
    held.odd_sent = std::exchange(held.odd, {});
    held.settling = true;
    commit.settles.push_back({group_, id, held.done, held.odd_sent});
  }
  dirty_.clear();
  for (const auto& [what, n] : untold_) commit.tallies.push_back({queue_id_, what, n});
  if (sent.empty() && untold_.empty()) return false;
  settling_ = true;
  engine_.submit(std::move(commit), [self = shared_from_this(), sent = std::move(sent),
                                     told = std::exchange(untold_, {})](Completion& answer) {
    // As of a producer's: rather once too few than twice.
    if (!answer.status.ok() && answer.status.code() != Code::in_doubt)
      for (const auto& [what, n] : told) self->untold_[what] += n;
    self->on_settled(sent, answer);
  });
  return true;
}

void Consumer::on_settled(const std::vector<Sent>& sent, Completion& answer) {
  settling_ = false;
  if (dropped_) return;
  tell_trouble(answer.status, "settlements are recorded again");
  if (!answer.status.ok()) {
    for (const Sent& one : sent) {
      const auto found = claims_.find(one.claim);
      if (found == claims_.end()) continue;
      Leased& held = found->second;
      held.settling = false;
      if (held.marked == 0) dirty_.push_back(one.claim);
      held.marked += one.marked;
      held.in_doubt = true;
      held.odd.insert(held.odd.begin(), held.odd_sent.begin(), held.odd_sent.end());
      held.odd_sent.clear();
    }
    settle_again_ =
        engine_.reactor().timers.at(engine_.reactor().clock.now() + kAfterTrouble, [this] { settle_again_ = 0; });
    return;
  }
  for (const u32 index : answer.fenced) {
    // A claim that was settled whole, and whose answer was lost, is no news: it is our own settlement that closed it.
    if (!(sent[index].repeated && sent[index].closed)) fence(sent[index].claim);
  }
  u64 settled = 0;
  for (const Sent& one : sent) {
    const auto found = claims_.find(one.claim);
    if (found == claims_.end()) continue;
    Leased& held = found->second;
    const auto given_back = std::ranges::count_if(
        held.odd_sent, [](const Odd& odd) { return odd.verdict == Verdict::nacked || odd.verdict == Verdict::unseen; });
    settled += one.marked - static_cast<u64>(given_back);
    if (given_back > 0) feed_->on_changed();
    held.odd_sent.clear();
    held.ready = true;
    held.settling = false;
    forget_when_settled(held);
  }
  stats_.settled += settled;
  engine_.tender().settled(options_.queue, settled);
}

/// The store has closed the claim, unless it waits for a word of ours.
void Consumer::forget_when_settled(Leased& held) {
  if (held.undone > 0 || held.marked > 0 || held.settling) return;
  const bool waits = options_.ack == Ack::none && held.batch != nullptr && held.next < held.batch->messages().size();
  if (!waits) forget(held);
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

void Consumer::fence(Id claim) {
  const auto found = claims_.find(claim);
  if (found == claims_.end()) return;
  Leased& held = found->second;
  if (held.batch != nullptr) {
    for (std::size_t i = 0; i < held.next; ++i) {
      (void)held.batch->slot(i).decide(Outcome::overdue);
    }
    unsent_ -= held.batch->messages().size() - held.next;
    if (unconfirmed_ != nullptr && unconfirmed_->batch == held.batch) unconfirmed_ = nullptr;
  }
  stats_.fenced += held.undone;
  events_.on_link_event(
      VTX_EVENT_FENCED,
      fmt::format(
          "a claim of queue '{}', group '{}' (messages {} to {}) has ended: this consumer was silent for longer than "
          "its "
          "lease, its group was moved by hand, or the store went back in time; what was not settled goes on without it",
          options_.queue, to_text(wanted_.name), held.claim.first, held.claim.last));
  forget(held);
}

void Consumer::forget(Leased& held) {
  in_hand_ -= held.lent;
  if (held.batch != nullptr) {
    registry_.remove(held.batch);
    held.batch->owner = nullptr;
    held.batch->unref();
  }
  if (held.resting) feed_->on_rest_ended(held.claim.delivery > 1);
  feed_->on_claim_closed(held.claim.delivery > 1);
  claims_.erase(held.claim.id);
  leave_when_empty();
}

/// Beats go on until the last claim is given back.
void Consumer::leave_when_empty() {
  if (!closing_ || !joined_ || !claims_.empty()) return;
  joined_ = false;
  engine_.holder().leave(options_.lease);
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
