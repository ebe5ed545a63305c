/* SPDX-License-Identifier: MPL-2.0 */
//
// See read_log.hpp.
#include "read_log.hpp"

#include <algorithm>
#include <utility>

namespace vtx::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kLookForSignals = 256;  // after so many messages that came without waiting
constexpr milliseconds kShortest{2};
constexpr milliseconds kLongest{1000};

}  // namespace

bool LogReading::run() {
  LogMessage message;
  while (count_ < bounds_.count && (!bounds_.last || message.sequence < *bounds_.last)) {
    if (reader_.take(message)) {
      pause_ = kShortest;
      if (is_behind_the_end(message)) {
        reader_.put_back(std::move(message));
        break;
      }
      if (!sink_.put(message)) return stop();
      if (++count_ % kLookForSignals == 0 && reader_.link().wait(0, -1, milliseconds(0)).stop) return stop();
      continue;
    }
    if (!sink_.flush()) return false;
    if (has_passed_the_end()) return true;
    if (!wait()) return false;
  }
  return sink_.flush();
}

bool LogReading::stop() {
  sink_.flush();
  return false;
}

bool LogReading::is_behind_the_end(const LogMessage& message) const {
  if (bounds_.last && message.sequence > *bounds_.last) return true;
  if (!bounds_.before) return false;
  const auto sent = parse_instant(message.sent_time());
  return sent && *sent >= *bounds_.before;
}

// No message may come to say that the end was passed: the last ones may be others' subscriptions, or expired. So the store is asked, once all
// that it had at the beginning is on its way.
bool LogReading::has_passed_the_end() {
  if (!reader_.link().is_caught_up()) return false;
  if (bounds_.before && !bounds_.last && std::chrono::system_clock::now() >= *bounds_.before)
    bounds_.last = extent_of(reader_.link().session(), reader_.link().endpoint()).last;
  return bounds_.last && reader_.has_passed(*bounds_.last);
}

// Until a message comes, but not for long when the end may be passed without one.
bool LogReading::wait() {
  pause_ = reader_.link().is_caught_up() ? std::clamp(pause_ * 2, kShortest, kLongest) : kShortest;
  const bool for_end = (bounds_.last || bounds_.before) && reader_.link().is_caught_up();
  return !reader_.link().wait(ZMQ_POLLIN, -1, for_end ? pause_ : kLongest).stop;
}

}  // namespace vtx::cli
