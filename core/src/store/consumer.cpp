/* SPDX-License-Identifier: MPL-2.0 */
#include "store/consumer.hpp"

#include <algorithm>

#include "store/feed.hpp"
#include "store/holder.hpp"
#include "store/tender.hpp"

namespace vtx {

using namespace driver;

namespace {
constexpr Ms kAfterTrouble{250};  // what failed for a passing reason is tried again after this
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
  const bool only_unconfirmed = unconfirmed_ != nullptr && in_hand_ + unsent_ == 0 && gate_->lent() == 0;
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

Consumer::Leased& Consumer::leased(const Batch* batch) {
  return static_cast<Leased&>(*static_cast<Held*>(batch->owner));
}

}  // namespace vtx
