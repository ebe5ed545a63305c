/* SPDX-License-Identifier: MPL-2.0 */
#include "watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>

namespace vtx::sqlite {
namespace {

using namespace std::chrono_literals;
constexpr auto kFirstPause = 200us;
constexpr std::chrono::microseconds kLongestPause = 50ms;
constexpr std::chrono::microseconds kRare = 1ms;
constexpr auto kLookFor = 1s;
constexpr auto kSafety = 1s;
constexpr auto kWithoutEvents = 250ms;

// Upon the clock's whole periods, so that an idle process wakes once for all its stores.
driver::Steady next_safety(driver::Steady now, bool events) {
  const driver::Steady::duration period = events ? kSafety : kWithoutEvents;
  return now + period - now.time_since_epoch() % period;
}

}  // namespace

void Watch::start(const std::string& wal, driver::Steady now) {
  stop();
  fd_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd_ >= 0 && inotify_add_watch(fd_, wal.c_str(), IN_MODIFY) < 0) stop();
  looking_ = muted_ = false;
  safety_at_ = next_safety(now, fd_ >= 0);
}

void Watch::stop() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

bool Watch::heard() const {
  alignas(inotify_event) char events[4096];
  bool any = false;
  for (int i = 0; i < 16 && fd_ >= 0 && read(fd_, events, sizeof events) > 0; ++i) any = true;
  return any;
}

bool Watch::is_listening() const { return !looking_ || (!muted_ && pause_ > kRare); }

void Watch::mute(driver::Steady now) {
  muted_ = true;
  pause_ = kLongestPause;
  look_at_ = now + pause_;
}

bool Watch::is_due(driver::Steady now, bool& safety) {
  safety = now >= safety_at_;
  if (safety) safety_at_ = next_safety(now, fd_ >= 0);
  if (looking_ && now >= look_until_) looking_ = false;
  if (is_listening() && heard()) {
    muted_ = false;
    looking_ = true;
    look_until_ = now + kLookFor;
    look_at_ = now;
    pause_ = kFirstPause;
  }
  if (!looking_ || now < look_at_) return safety;
  muted_ = false;
  look_at_ = now + pause_;
  pause_ = std::min(pause_ * 2, kLongestPause);
  return true;
}

driver::Ms Watch::next(driver::Steady now, bool waiting) const {
  auto at = safety_at_;
  if (looking_ && waiting) at = std::min({at, look_at_, look_until_});
  return std::max(driver::Ms(0), std::chrono::ceil<driver::Ms>(at - now));
}

}  // namespace vtx::sqlite
