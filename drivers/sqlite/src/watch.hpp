/* SPDX-License-Identifier: MPL-2.0 */
//
// When to look whether somebody who rings no doorbell has committed. An event on the write-ahead log comes before the commit is visible, so it only
// starts a second of looking, ever less often; the next event starts it anew, once the looks have become rare. Without events there is a slow look anyway. The log's name stays while we have the database open.
#pragma once

#include <string>

#include "vtx/driver/clock.hpp"

namespace vtx::sqlite {

class Watch {
 public:
  Watch() = default;
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void start(const std::string& wal, driver::Steady now);
  void stop();
  /// Readable after an event; negative when the system gives none.
  int fd() const { return fd_; }
  /// Whether an event is of use now: not while looking often anyway, nor while muted.
  bool is_listening() const;
  /// VTX's own writers are busy, and they ring: their events are not worth a look each. Until the next look or the end of looking.
  void mute(driver::Steady now);

  /// Takes note of events and of the time. True when it is time to look; `safety`: also the slow look.
  bool is_due(driver::Steady now, bool& safety);
  /// How long until it is due. @param waiting  somebody wants to know of foreign commits
  driver::Ms next(driver::Steady now, bool waiting) const;

 private:
  bool heard() const;

  int fd_ = -1;
  bool looking_ = false;
  bool muted_ = false;
  driver::Steady look_at_{}, look_until_{}, safety_at_{};
  std::chrono::microseconds pause_{};
};

}  // namespace vtx::sqlite
