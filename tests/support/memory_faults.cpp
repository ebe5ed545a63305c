/* SPDX-License-Identifier: MPL-2.0 */
//
// The faults of a MemoryStore: what was ordered, and what that means for the operation at hand.
#include "support/memory_store.hpp"

#include <algorithm>
#include <thread>

namespace vtx::test {

namespace {

/// Takes the entry that is due out of `countdown` and brings the others one nearer.
template <class T>
std::optional<T> count_down(std::map<u32, T>& countdown) {
  std::optional<T> due;
  std::map<u32, T> rest;
  for (auto& [left, what] : countdown) {
    if (left <= 1)
      due = std::move(what);
    else
      rest.emplace(left - 1, std::move(what));
  }
  countdown = std::move(rest);
  return due;
}

bool writes(const driver::Operation& operation) {
  return !std::holds_alternative<driver::Locate>(operation) && !std::holds_alternative<driver::Read>(operation) &&
         !std::holds_alternative<driver::Inspect>(operation) && !std::holds_alternative<driver::Beat>(operation) &&
         !std::holds_alternative<driver::Check>(operation);
}

bool is_longer(const driver::Operation& operation, std::size_t longest) {
  const auto* commit = std::get_if<driver::Commit>(&operation);
  return commit != nullptr && std::ranges::any_of(commit->appends, [&](const driver::Append& append) {
           return std::ranges::any_of(append.messages,
                                      [&](const auto& message) { return message.body.size() > longest; });
         });
}

}  // namespace

void MemoryFaults::fail_kind(std::size_t kind, u32 nth, Status status) {
  const std::lock_guard lock(mutex_);
  failing_[kind][nth] = std::move(status);
}

void MemoryFaults::lose_answer(u32 nth, bool applied) {
  const std::lock_guard lock(mutex_);
  losing_[nth] = applied;
}

void MemoryFaults::lose_session() {
  const std::lock_guard lock(mutex_);
  for (auto& [store, listener] : listeners_) {
    listener.loses_session = true;
    listener.wake();
  }
}

void MemoryFaults::refuse_start(Status status) {
  const std::lock_guard lock(mutex_);
  start_ = std::move(status);
}

void MemoryFaults::slow_start(Ms time) {
  const std::lock_guard lock(mutex_);
  start_takes_ = time;
}

void MemoryFaults::lose_openings(u32 count) {
  const std::lock_guard lock(mutex_);
  lost_openings_ = count;
}

void MemoryFaults::set_full(bool full) {
  const std::lock_guard lock(mutex_);
  full_ = full;
}

void MemoryFaults::set_longest(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  longest_ = bytes;
}

void MemoryFaults::shuffle(u64 seed) {
  const std::lock_guard lock(mutex_);
  seed_ = seed;
}

MemoryFaults::Doom MemoryFaults::judge(const driver::Operation& operation) {
  const std::lock_guard lock(mutex_);
  Doom doom;
  ++seen_[operation.index()];
  if (std::holds_alternative<driver::Commit>(operation)) doom.loses_answer = count_down(losing_);
  doom.fails = count_down(failing_[operation.index()]);
  if (!doom.fails && full_ && writes(operation))
    doom.fails = Status(Code::no_space, "The memory database is full: free space.");
  if (!doom.fails && longest_ > 0 && is_longer(operation, longest_))
    doom.fails = Status(Code::invalid, "A message is too long for the memory database.");
  return doom;
}

Status MemoryFaults::judge_start(const MemoryStore* store, std::function<void()> wake) {
  std::unique_lock lock(mutex_);
  listeners_[store] = {std::move(wake), false};
  const Ms takes = start_takes_;
  const Status answer = start_;
  lock.unlock();
  std::this_thread::sleep_for(takes);
  return answer;
}

bool MemoryFaults::take_lost_opening() {
  const std::lock_guard lock(mutex_);
  if (lost_openings_ == 0) return false;
  --lost_openings_;
  return true;
}

bool MemoryFaults::take_lost_session(const MemoryStore* store) {
  const std::lock_guard lock(mutex_);
  return std::exchange(listeners_.at(store).loses_session, false);
}

u64 MemoryFaults::shuffle_seed() const {
  const std::lock_guard lock(mutex_);
  return seed_;
}

void MemoryFaults::forget(const MemoryStore* store) {
  const std::lock_guard lock(mutex_);
  listeners_.erase(store);
}

}  // namespace vtx::test
