/* SPDX-License-Identifier: MPL-2.0 */
//
// A question of an application thread to a driver thread. Shared by both, since either may give up first.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "vtx/driver/clock.hpp"
#include "vtx/driver/status.hpp"

namespace vtx {

/// Thread-safe. Asked once, answered once.
template <class T>
class Call {
 public:
  /// Driver thread: the first answer counts.
  void answer(T value) {
    const std::lock_guard lock(mutex_);
    if (!value_) value_ = std::move(value);
    answered_.notify_all();
  }
  /// Application thread: nullopt when no answer came in time (negative: waits for ever).
  std::optional<T> wait(driver::Ms timeout) {
    std::unique_lock lock(mutex_);
    const auto there = [&] { return value_.has_value(); };
    if (timeout.count() < 0) {
      answered_.wait(lock, there);
    } else {
      (void)answered_.wait_for(lock, timeout, there);
    }
    return std::move(value_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable answered_;
  std::optional<T> value_;
};

}  // namespace vtx
