/* SPDX-License-Identifier: MPL-2.0 */
//
// A sink ahead of another one, which lets each message through when its time has come.
#pragma once

#include <chrono>
#include <optional>

#include "read_log.hpp"

namespace vtx::cli {

/// The intervals between messages as they were sent, divided by a factor. One thread.
class Pace : public Sink {
 public:
  /// @param link    whose waits end for a signal; borrowed
  /// @param factor  above 0; 2 is twice as fast
  Pace(Link& link, double factor, Sink& sink) : link_(link), factor_(factor), sink_(sink) {}

  bool put(LogMessage& message) override;
  bool flush() override { return sink_.flush(); }

 private:
  using Clock = std::chrono::steady_clock;

  std::optional<Clock::time_point> due(const LogMessage& message);
  bool wait_until(Clock::time_point due);

  Link& link_;
  double factor_;
  Sink& sink_;
  std::optional<Instant> first_sent_;
  Clock::time_point begin_;
};

}  // namespace vtx::cli
