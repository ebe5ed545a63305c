/* SPDX-License-Identifier: MPL-2.0 */
//
// Locks between processes, for drivers of embedded databases. POSIX record locks, because the kernel drops them with their process
// and a forked child does not keep them; their trap, that closing any descriptor of a file drops all locks this process has in it,
// is met by opening each file once a process. Waiting is done by a thread in here, never by the caller.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "vtx/driver/status.hpp"
#include "vtx/export.h"

namespace vtx::driver {

/// A file that this process has open once, however many LockFile objects name it. Thread-safe.
///
/// Never open and close the same file by other means while one exists: that would drop the locks.
class VTX_EXPORT LockFile {
 public:
  struct Owner {
    uid_t uid;
    gid_t gid;
    mode_t mode;
  };

  /// Opens `path`, or creates it empty with exactly this owner and mode, whatever the umask says (the owner needs root, else it is left alone).
  /// Fails with denied, not_found, invalid (no regular file), no_space, internal.
  static Result<std::unique_ptr<LockFile>> open(const std::string& path, const Owner& owner);
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

  /// The one descriptor; owned here.
  int fd() const;
  /// False once the name leads to another file, or to none.
  bool is_current() const;

  /// Takes one byte's lock until release(), or the end of this process. False when anybody has it, this process included.
  /// @param byte  any offset but kFairLock and the one after it; need not exist in the file
  bool take(off_t byte);
  /// Undoes a successful take().
  void release(off_t byte);
  /// True when somebody, here or elsewhere, has taken the byte.
  bool is_taken(off_t byte) const;

  /// The bytes that FileLock uses: the lock, then its turnstile.
  static constexpr off_t kFairLock = off_t{1} << 40;

 private:
  friend class FileLock;
  struct Shared;
  LockFile(std::string path, Shared* shared);
  std::string path_;
  Shared* shared_;
};

/// One party's place in the queue for a file's lock; parties of all processes get it in turn, none can starve another.
/// One thread at a time; any number of objects on one file, in any threads.
///
/// Who waits holds the turnstile byte while it waits for the lock byte, so that who has just unlocked queues behind it.
class VTX_EXPORT FileLock {
 public:
  /// @param file  outlives the lock
  explicit FileLock(LockFile& file);
  /// Unlocks, or leaves the queue.
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// False when the file or the event descriptor could not be had; nothing else may be called then.
  bool is_valid() const;
  /// True: it is ours until unlock(). False: queued for it; fd() becomes readable when it is ours, which the next try_lock() confirms. Never blocks.
  bool try_lock();
  /// Gives it up, or leaves the queue. Idempotent.
  void unlock();
  /// Readable from the granting to the unlock() when try_lock() had answered false.
  int fd() const;

  struct Place;

 private:
  LockFile& file_;
  std::shared_ptr<Place> place_;
};

}  // namespace vtx::driver
