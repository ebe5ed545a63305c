/* SPDX-License-Identifier: MPL-2.0 */
//
// SIGINT and SIGTERM as a readable descriptor, so that a signal wakes every wait and none is ever lost between a
// check and a wait. SIGPIPE is ignored: a reader that has gone shows as EPIPE where the write is.
#pragma once

namespace vtx::cli {

/// Made before any thread starts (they inherit the blocked signals). One a process; one thread at a time.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Readable once a signal has come.
  int fd() const noexcept { return fd_; }
  /// Takes what has come, without waiting. @return the first signal ever taken, 0 none
  int taken();
  /// How many have been taken: the second one means that the user will not wait.
  int count() const noexcept { return count_; }
  /// From here on a signal ends the process at once: for the last steps, which may take long.
  void release();

 private:
  int fd_ = -1;
  int first_ = 0;
  int count_ = 0;
};

}  // namespace vtx::cli
