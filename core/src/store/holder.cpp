/* SPDX-License-Identifier: MPL-2.0 */
#include "store/holder.hpp"

#include "store/engine.hpp"

namespace vtx {

using namespace driver;

namespace {
constexpr int kBeatsPerLease = 3;  // a holder may be late by two beats before anybody may take its claims over
}

void Holder::join(Ms lease) {
  const bool shorter = leases_.empty() || lease < leases_.begin()->first;
  ++leases_[lease];
  if (shorter && engine_.live()) {
    engine_.reactor().timers.cancel(timer_);
    beat();
  }
}

void Holder::leave(Ms lease) {
  const auto found = leases_.find(lease);
  if (found != leases_.end() && --found->second == 0) leases_.erase(found);
  if (leases_.empty()) engine_.reactor().timers.cancel(timer_);
}

void Holder::on_live() {
  ready_ = false;
  if (!leases_.empty()) beat();
}

void Holder::when_ready(std::function<void()> ready) {
  if (ready_) return ready();
  waiting_.push_back(std::move(ready));
}

void Holder::on_lost() {
  ready_ = false;
  waiting_.clear();
  seen_.clear();
  engine_.reactor().timers.cancel(timer_);
}

void Holder::stop() {
  leases_.clear();
  engine_.reactor().timers.cancel(timer_);
}

void Holder::beat() {
  timer_ = 0;
  if (beating_) return;  // its answer schedules the next one
  beating_ = true;
  engine_.submit(Beat{id_, lease()}, [this](Completion& answer) { on_beat(answer); });
}

void Holder::on_beat(Completion& answer) {
  beating_ = false;
  if (!engine_.live()) return;
  if (answer.status.ok()) {
    id_ = answer.id;  // kept even if nobody needs it any more: the store has it, and the next consumer will
    ready_ = true;
    for (const auto& ready : std::exchange(waiting_, {})) ready();
  }
  if (leases_.empty()) return;
  if (answer.status.ok()) {
    watch(answer.holders);
  } else if (answer.status.code() == Code::not_found || answer.status.code() == Code::fenced) {
    // The store knows us no more (another database, or our life was declared over): begin a new one.
    id_ = 0;
    ready_ = false;
    beat();
    return;
  }
  schedule();
}

void Holder::schedule() {
  if (timer_ != 0) return;
  timer_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + lease() / kBeatsPerLease, [this] {
    timer_ = 0;
    if (engine_.live() && !leases_.empty()) beat();
  });
}

void Holder::watch(const std::vector<HolderBeat>& others) {
  const Steady now = engine_.reactor().clock.now();
  for (auto& [holder, seen] : seen_) seen.present = false;
  for (const HolderBeat& other : others) {
    if (other.holder == id_) continue;
    const auto [entry, fresh] = seen_.try_emplace(other.holder, Seen{other.count, now, true});
    Seen& seen = entry->second;
    seen.present = true;
    if (seen.count != other.count) seen = {other.count, now, true};
    if (other.dead || now - seen.since >= other.lease) take_over(other);
  }
  std::erase_if(seen_, [](const auto& entry) { return !entry.second.present; });
}

void Holder::take_over(const HolderBeat& other) {
  engine_.submit(TakeOver{other.holder, other.count}, [this, holder = other.holder](Completion& answer) {
    if (answer.status.ok() && answer.count > 0) engine_.on_taken_over(holder, answer.count);
  });
}

}  // namespace vtx
