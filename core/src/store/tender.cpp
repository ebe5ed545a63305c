/* SPDX-License-Identifier: MPL-2.0 */
#include "store/tender.hpp"

#include <algorithm>

#include "store/engine.hpp"

namespace vtx {

using namespace driver;

namespace {
using namespace std::chrono_literals;
constexpr Ms kQuiet = 200ms;
constexpr Ms kOthers =
    600ms;  // who stored it tends it, unless that has ended or was no link: then any one of those who hear of it
constexpr Ms kMostLate = 60s;  // messages grow old also when nothing happens

bool trims(const Retention& retention) {
  return retention.kind != Retention::Kind::consumed && retention.kind != Retention::Kind::forever;
}
}  // namespace

void Tender::declared(const std::string& name, const Retention& retention, bool limited) {
  queues_[name].retention = retention;
  queues_[name].limited = limited;
  if (trims(retention)) tend_within(name, queues_[name], 0ms);  // others may have ended before they could
}

void Tender::settled(const std::string& name, u64 count) {
  Queue& queue = queues_[name];
  queue.settled += count;
  const bool frees = queue.limited && queue.retention.kind == Retention::Kind::consumed;
  tend_within(name, queue, frees || queue.settled >= kEnough ? 0ms : kQuiet);
}

void Tender::stored(const std::string& name) {
  Queue& queue = queues_[name];
  tend_within(name, queue, trims(queue.retention) ? kQuiet : kMostLate);
}

void Tender::delayed(const std::string& name, Ms due_in) {
  Queue& queue = queues_[name];
  const Steady due = engine_.reactor().clock.now() + due_in;
  queue.fire_at = std::min(due, queue.fire_at.value_or(due));
  fire_in_time(name, queue);
}

void Tender::fire_in_time(const std::string& name, Queue& queue) {
  if (queue.fire_at)
    tend_within(name, queue, std::max(Ms(0), std::chrono::ceil<Ms>(*queue.fire_at - engine_.reactor().clock.now())));
}

void Tender::changed(const std::string& changed) {
  for (auto& [name, queue] : queues_)
    if (trims(queue.retention) && (changed.empty() || changed == name)) tend_within(name, queue, kOthers);
}

void Tender::finish() {
  const Steady soon = engine_.reactor().clock.now() + kQuiet;
  for (auto& [name, queue] : queues_)
    if (trims(queue.retention) && queue.timer != 0 && queue.due <= soon) tend(name);
}

void Tender::stop() {
  for (auto& [name, queue] : queues_) engine_.reactor().timers.cancel(queue.timer);
  queues_.clear();
}

void Tender::tend_within(const std::string& name, Queue& queue, Ms within) {
  if (queue.running) return;
  const Steady due = engine_.reactor().clock.now() + within;
  if (queue.timer != 0 && queue.due <= due) return;
  if (within == 0ms) return tend(name);
  engine_.reactor().timers.cancel(queue.timer);
  queue.due = due;
  queue.timer = engine_.reactor().timers.at(due, [this, name] {
    queues_[name].timer = 0;
    tend(name);
  });
}

void Tender::tend(const std::string& name) {
  if (!engine_.live()) return;  // what happens next asks again
  Queue& queue = queues_[name];
  engine_.reactor().timers.cancel(queue.timer);
  queue.running = true;
  queue.settled = 0;
  queue.firing = queue.fire_at && *queue.fire_at <= engine_.reactor().clock.now();
  if (queue.firing) queue.fire_at.reset();
  engine_.submit(Tend{name}, [this, name](Completion& answer) { on_tended(name, answer); });
}

void Tender::on_tended(const std::string& name, const Completion& answer) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return;
  Queue& queue = found->second;
  queue.running = false;
  if (queue.firing && !answer.status.ok()) queue.fire_at = engine_.reactor().clock.now() + kQuiet;
  // What was due may have expired instead of being appended: who waits learns the next time by asking.
  if (queue.firing && answer.status.ok()) engine_.on_changed(name);
  fire_in_time(name, queue);
  // Another may have declared it anew.
  if (const auto retention = parse_retention(answer.declared.retain); answer.status.ok() && retention)
    queue.retention = *retention;
  if (answer.status.ok()) queue.limited = !answer.declared.limit.empty();
  if (!answer.status.ok()) {
    if (trims(queue.retention)) tend_within(name, queue, kMostLate);
  } else if (answer.more) {
    tend_within(name, queue, 0ms);
  } else if (queue.settled > 0) {
    settled(name, 0);
  } else if (queue.retention.kind == Retention::Kind::age) {
    tend_within(name, queue, std::clamp<Ms>(queue.retention.age / 10, kQuiet, kMostLate));
  } else if (trims(queue.retention)) {
    tend_within(name, queue, kMostLate);
  }
}

}  // namespace vtx
