/* SPDX-License-Identifier: MPL-2.0 */
//
// The disk's sync in a thread of its own, so that the driver thread gathers, writes and hands out meanwhile. What is asked while a sync runs shares the
// next one. What is soon done is done at once instead.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "disk.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx::rocks {

using driver::u64;

/// Confined to the driver thread, but for what runs in its own.
class Syncer {
 public:
  explicit Syncer(const Disk& disk);
  /// Waits for the sync that runs; what was asked for after it is not done.
  ~Syncer();
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  /// To be called, from the other thread, when done() or failure() has moved. Once this returns, the one before is not called any more.
  void set_bell(std::function<void()> ring);
  /// The number of the next sync to be asked for: from 1.
  u64 next() const { return asked_ + 1; }
  /// All that was written until now.
  void ask();
  /// Likewise, at once and in this thread. Not while one runs. Throws DiskError.
  void sync_here();
  /// No sync runs, and none is asked for.
  bool idle() const;
  /// All syncs up to this number are done.
  u64 done() const;
  /// Not ok: nobody knows what the disk has of what was to be synced, and nothing more is.
  Status failure() const;

 private:
  void run();

  const Disk& disk_;
  u64 asked_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable asked_more_;
  // Guarded by mutex_.
  std::function<void()> ring_;
  u64 wanted_ = 0;
  u64 done_ = 0;
  Status failure_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace vtx::rocks
