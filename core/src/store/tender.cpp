/* SPDX-License-Identifier: MPL-2.0 */
#include "store/tender.hpp"

#include "store/engine.hpp"

namespace vtx {

using namespace driver;

namespace {
constexpr u64 kEnough = 2000;  // settled messages that are worth a step at once
constexpr Ms kQuiet{200};
}  // namespace

void Tender::settled(const std::string& name, u64 count) {
  Queue& queue = queues_[name];
  queue.settled += count;
  if (queue.running) return;
  if (queue.settled >= kEnough) {
    engine_.reactor().timers.cancel(queue.timer);
    tend(name);
  } else if (queue.timer == 0) {
    queue.timer = engine_.reactor().timers.at(engine_.reactor().clock.now() + kQuiet, [this, name] {
      queues_[name].timer = 0;
      tend(name);
    });
  }
}

void Tender::stop() {
  for (auto& [name, queue] : queues_) engine_.reactor().timers.cancel(queue.timer);
  queues_.clear();
}

void Tender::tend(const std::string& name) {
  if (!engine_.live()) return;  // the next settlement asks again
  Queue& queue = queues_[name];
  queue.running = true;
  queue.settled = 0;
  engine_.submit(Tend{name}, [this, name](Completion& answer) {
    const auto found = queues_.find(name);
    if (found == queues_.end()) return;
    found->second.running = false;
    if (!answer.status.ok()) return;
    if (answer.more) found->second.settled += kEnough;
    if (found->second.settled > 0) settled(name, 0);
  });
}

}  // namespace vtx
