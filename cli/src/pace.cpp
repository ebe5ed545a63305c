/* SPDX-License-Identifier: MPL-2.0 */
//
// See pace.hpp.
#include "pace.hpp"

#include <algorithm>

namespace vtx::cli {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr Seconds kFarAway = std::chrono::hours(24 * 365 * 100);  // what a slow factor makes of years fits no clock

}  // namespace

bool Pace::put(LogMessage& message) {
  if (const auto time = due(message); time && *time > Clock::now())
    if (!sink_.flush() || !wait_until(*time)) return false;
  return sink_.put(message);
}

// Counted from the first message, so that what one wait is late does not add up.
std::optional<Pace::Clock::time_point> Pace::due(const LogMessage& message) {
  const auto sent = parse_instant(message.sent_time());
  if (!sent) return std::nullopt;
  if (!first_sent_) {
    first_sent_ = *sent;
    begin_ = Clock::now();
  }
  const Seconds since = std::min(Seconds(*sent - *first_sent_) / factor_, kFarAway);
  return begin_ + std::chrono::duration_cast<Clock::duration>(since);
}

bool Pace::wait_until(Clock::time_point due) {
  using std::chrono::milliseconds;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(due - Clock::now());
    if (left <= milliseconds(0)) return true;
    if (link_.wait(0, -1, std::min<milliseconds>(left, std::chrono::hours(1))).stop) return false;
  }
}

}  // namespace vtx::cli
