/* SPDX-License-Identifier: MPL-2.0 */
//
// What was decided about the messages of a claim, and how the store is told; the end of claims.
#include <fmt/format.h>

#include <algorithm>

#include "store/consumer.hpp"
#include "store/feed.hpp"
#include "store/holder.hpp"
#include "store/tender.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

namespace {
constexpr Ms kAfterTrouble{250};  // what failed for a passing reason is tried again after this
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

/// Once when it begins and once when it is over; that the session is lost is told for the whole link.
void Consumer::tell_trouble(const Status& status, const char* recovered) {
  if (status.code() == Code::lost || status.code() == Code::in_doubt || status.ok() != troubled_) return;
  troubled_ = !status.ok();
  events_.on_link_event(troubled_ ? VTX_EVENT_TROUBLE : VTX_EVENT_RECOVERED, troubled_ ? status.text() : recovered);
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

}  // namespace vtx
