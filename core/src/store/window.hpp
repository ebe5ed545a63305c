/* SPDX-License-Identifier: MPL-2.0 */
//
// How many messages a consumer should have in hands: what it settles in a moment at its present pace, so that a slow worker
// leaves the rest to others and a fast one never waits. One that lets go of nothing may be slow, or may collect several before it does:
// it is given another now and then, ever more rarely.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vtx/driver/clock.hpp"

namespace vtx {

/// Driver thread only.
class Window {
 public:
  /// @param fixed  always as many as the ceiling
  Window(std::uint32_t ceiling, bool fixed)
      : ceiling_(std::max(ceiling, 1U)), fixed_(fixed), size_(fixed ? ceiling_ : 1) {}

  std::uint32_t size() const { return size_; }

  /// After so long with all in hands and none let go: on_stall().
  driver::Ms patience() const { return std::chrono::duration_cast<driver::Ms>(kHorizon) * size_; }
  void on_stall() { size_ = std::min(size_ + 1, ceiling_); }
  bool is_at_ceiling() const { return size_ == ceiling_; }

  /// The consumer went from empty hands to something, at `now`.
  void on_begin(driver::Steady now) {
    since_ = now;
    settled_ = 0;
  }

  /// `count` messages were let go, at `now`; `in_hand` remain.
  void on_settled(std::uint32_t count, driver::Steady now, std::uint64_t in_hand) {
    if (fixed_) return;
    settled_ += count;
    const auto busy = now - since_;
    // A judgement needs a window's worth of messages, or time enough to see that the pace is slow.
    if (settled_ < size_ && busy < kHorizon && in_hand != 0) return;
    const double per_horizon = static_cast<double>(settled_) * static_cast<double>(kHorizon.count()) /
                               static_cast<double>(std::max<std::int64_t>(ns(busy), 1));
    const double wanted = std::clamp(per_horizon, 1.0, static_cast<double>(ceiling_));
    // Doubling at most, so that one lucky moment does not claim a backlog.
    size_ = static_cast<std::uint32_t>(std::min(wanted, 2.0 * size_));
    size_ = std::max(size_, 1U);
    since_ = now;
    settled_ = 0;
  }

 private:
  static constexpr std::chrono::nanoseconds kHorizon = std::chrono::milliseconds(100);
  static std::int64_t ns(std::chrono::steady_clock::duration d) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
  }

  const std::uint32_t ceiling_;
  const bool fixed_;
  std::uint32_t size_;
  driver::Steady since_{};
  std::uint64_t settled_ = 0;
};

}  // namespace vtx
