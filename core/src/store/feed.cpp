/* SPDX-License-Identifier: MPL-2.0 */
#include "store/feed.hpp"

#include <algorithm>

#include "store/consumer.hpp"
#include "store/engine.hpp"
#include "store/holder.hpp"

namespace vtx {

using namespace driver;

namespace {
constexpr Ms kAfterTrouble{
    250};  // a claim that failed for a passing reason, or must wait for others, is tried again after this
}

Feed::~Feed() { engine_.reactor().timers.cancel(due_); }

void Feed::join(Consumer* consumer) {
  consumers_.push_back(consumer);
  drained_ = false;
}

void Feed::leave(Consumer* consumer) {
  if (std::erase(consumers_, consumer) == 0 || !consumers_.empty()) return;
  engine_.reactor().timers.cancel(due_);
  if (consumer->group() != 0 && engine_.live()) engine_.submit(StopWaiting{consumer->group()}, [](Completion&) {});
}

Id Feed::group() const {
  const auto open = std::ranges::find_if(consumers_, [](const Consumer* consumer) { return consumer->group() != 0; });
  return open == consumers_.end() ? 0 : (*open)->group();
}

void Feed::on_claim_opened(bool redelivered) {
  ++open_;
  if (redelivered) ++open_redelivered_;
}

void Feed::on_claim_closed(bool redelivered) {
  --open_;
  if (redelivered) --open_redelivered_;
}

void Feed::on_claim_rests(bool redelivered) {
  on_claim_closed(redelivered);
  if (redelivered) ++resting_redelivered_;
}

void Feed::on_rest_ended(bool redelivered) {
  if (redelivered) --resting_redelivered_;
  on_claim_opened(redelivered);
}

void Feed::claim() {
  if (drained_ || consumers_.empty() || engine_.holder().id() == 0) return;
  for (std::size_t tried = 0; tried < consumers_.size(); ++tried) {
    if (alone_submitted_ || open_redelivered_ > 0) return;
    if (resting_redelivered_ > 0 && (open_ > 0 || submitted_ > 0)) return;
    if (retry_waiting_ && (open_ > 0 || submitted_ > 0)) return;
    Consumer& consumer = *consumers_[turn_++ % consumers_.size()];
    if (consumer.room() > 0) submit(consumer);
  }
}

void Feed::submit(Consumer& consumer) {
  ClaimNext next{consumer.group(), engine_.holder().id(), {consumer.room(), kMaxBatchBytes}};
  next.alone = open_ == 0 && submitted_ == 0;
  // What follows a redelivered message that rests is there to confirm it: one, and it must not be blamed if that message kills us.
  next.uncounted = resting_redelivered_ > 0;
  if (next.uncounted) next.limit.messages = 1;
  ++submitted_;
  alone_submitted_ = next.alone;
  next.number = consumer.on_claim_submitted();
  engine_.submit(next, [this, changes = changes_, consumer = consumer.shared_from_this()](Completion& answer) {
    on_answer(consumer.get(), changes, answer);
  });
}

void Feed::on_answer(Consumer* consumer, u64 changes, Completion& answer) {
  --submitted_;
  alone_submitted_ = false;
  retry_waiting_ = answer.retry_waiting;
  if (!answer.status.ok()) answer.due_in = kAfterTrouble;
  // What changed since it was asked may have overtaken the answer.
  if (!answer.claim && !answer.retry_waiting && changes == changes_) drained_ = true;
  // Another process may take the waiting message before our hands are empty: ask again.
  if (answer.retry_waiting) answer.due_in = kAfterTrouble;
  if (answer.due_in) {
    engine_.reactor().timers.cancel(due_);
    due_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + *answer.due_in, [this] {
      due_ = 0;
      drained_ = false;
      retry_waiting_ = false;
    });
  }
  consumer->on_claim(answer);
}

}  // namespace vtx
