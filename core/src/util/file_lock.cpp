/* SPDX-License-Identifier: MPL-2.0 */
//
// One table of open files for the process, one mutex over it (held for a few system calls that do not block), and per file a queue of
// parties with a helper thread, started when somebody first has to wait. Table and mutex are never destroyed: helpers outlive main().
#include "vtx/driver/file_lock.hpp"

#include "util/quiet_thread.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace vtx::driver {
namespace {

constexpr off_t kTurnstile = LockFile::kFairLock + 1;

struct flock byte_range(short type, off_t byte) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = byte;
  range.l_len = 1;
  return range;
}

bool try_byte(int fd, off_t byte) {
  auto range = byte_range(F_WRLCK, byte);
  return fcntl(fd, F_SETLK, &range) == 0;
}

void free_byte(int fd, off_t byte) {
  auto range = byte_range(F_UNLCK, byte);
  fcntl(fd, F_SETLK, &range);
}

// EDEADLK is the kernel's guess about whole processes: two that each hold one file and wait, in a helper, for the other's look like a
// deadlock and are none, since the holding threads go on. So wait a little and ask again.
void wait_for_byte(int fd, off_t byte) {
  auto range = byte_range(F_WRLCK, byte);
  while (fcntl(fd, F_SETLKW, &range) != 0)
    if (errno != EINTR) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// Who starts us with a standard descriptor closed would have what is printed written into the file. Before any lock: closing drops them.
int above_standard(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error = errno;
  close(fd);
  errno = error;
  return moved;
}

Status open_failure(const std::string& path) {
  const int error = errno;
  Code code = Code::internal;
  if (error == EACCES || error == EPERM || error == EROFS) code = Code::denied;
  if (error == ENOENT) code = Code::not_found;
  if (error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE) code = Code::no_space;
  if (error == EISDIR || error == ELOOP) code = Code::invalid;
  return {code, "cannot open " + path + ": " + std::strerror(error), error};
}

}  // namespace

/// A party in the queue. Shared with the helper, which may be about to wake one that has just gone.
struct FileLock::Place {
  LockFile::Shared* file = nullptr;
  int event = -1;
  bool queued = false;
  ~Place() {
    if (event >= 0) close(event);
  }
};

struct LockFile::Shared {
  using Key = std::pair<dev_t, ino_t>;

  Key key;
  std::vector<int> fds;  // [0] is used; more came from reopening by another name, and closing them would drop the locks
  int users = 0;         // LockFile objects, and the helper thread
  std::set<off_t> taken;

  FileLock::Place* owner = nullptr;
  std::deque<std::shared_ptr<FileLock::Place>> waiting;
  bool helper = false;          // the thread exists
  bool helper_locking = false;  // and is between the queue and the lock: the bytes are its alone
  std::condition_variable work;

  static std::mutex& mutex() {
    static auto* mutex = new std::mutex;
    return *mutex;
  }
  static std::map<Key, Shared*>& table() {
    static auto* table = new std::map<Key, Shared*>;
    return *table;
  }

  int fd() const { return fds.front(); }

  // Both with the mutex held.
  static Shared* join(int fd, const struct stat& file) {
    auto& shared = table()[{file.st_dev, file.st_ino}];
    if (!shared) {
      shared = new Shared;
      shared->key = {file.st_dev, file.st_ino};
    }
    if (fd >= 0) shared->fds.push_back(fd);
    ++shared->users;
    return shared;
  }
  static void leave(Shared* shared) {
    if (--shared->users > 0) {
      shared->work.notify_all();
      return;
    }
    for (const int fd : shared->fds) close(fd);
    table().erase(shared->key);
    delete shared;
  }

  bool try_now() {
    if (owner || helper_locking || !waiting.empty() || !try_byte(fd(), kTurnstile)) return false;
    const bool locked = try_byte(fd(), kFairLock);
    free_byte(fd(), kTurnstile);
    return locked;
  }

  void start_helper() {
    if (helper) {
      work.notify_all();
      return;
    }
    helper = true;
    ++users;
    quiet_thread([this] { serve(); }).detach();
  }

  void serve() {
    std::unique_lock lock(mutex());
    while (true) {
      work.wait(lock, [this] { return users == 1 || (!owner && !waiting.empty()); });
      if (owner || waiting.empty()) break;  // only the helper is left
      helper_locking = true;
      const int descriptor = fd();
      lock.unlock();
      wait_for_byte(descriptor, kTurnstile);
      wait_for_byte(descriptor, kFairLock);
      free_byte(descriptor, kTurnstile);
      lock.lock();
      helper_locking = false;
      grant();
    }
    helper = false;
    leave(this);
  }

  void grant() {
    if (waiting.empty()) {
      free_byte(fd(), kFairLock);  // who waited has gone
      return;
    }
    owner = waiting.front().get();
    waiting.pop_front();
    owner->queued = false;
    eventfd_write(owner->event, 1);
  }
};

Result<std::unique_ptr<LockFile>> LockFile::open(const std::string& path, const Owner& owner) {
  const std::lock_guard guard(Shared::mutex());
  struct stat file {};
  // A file that is open already must not be opened and closed once more, so look before.
  if (stat(path.c_str(), &file) == 0 && Shared::table().contains({file.st_dev, file.st_ino}))
    return std::unique_ptr<LockFile>(new LockFile(path, Shared::join(-1, file)));

  bool created = true;
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 && errno == EEXIST) {
    created = false;
    fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  }
  fd = above_standard(fd);
  if (fd < 0) return tl::unexpected(open_failure(path));
  if (created) {
    if (geteuid() == 0 && fchown(fd, owner.uid, owner.gid) != 0) errno = 0;  // as good as it gets
    fchmod(fd, owner.mode);
  }
  if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
    ::close(fd);
    return fail(Code::invalid, path + " is no regular file");
  }
  return std::unique_ptr<LockFile>(new LockFile(path, Shared::join(fd, file)));
}

LockFile::LockFile(std::string path, Shared* shared) : path_(std::move(path)), shared_(shared) {}

LockFile::~LockFile() {
  const std::lock_guard guard(Shared::mutex());
  Shared::leave(shared_);
}

int LockFile::fd() const { return shared_->fd(); }

bool LockFile::is_current() const {
  struct stat file {};
  return stat(path_.c_str(), &file) == 0 && Shared::Key{file.st_dev, file.st_ino} == shared_->key;
}

bool LockFile::take(off_t byte) {
  const std::lock_guard guard(Shared::mutex());
  if (shared_->taken.contains(byte) || !try_byte(fd(), byte)) return false;
  shared_->taken.insert(byte);
  return true;
}

void LockFile::release(off_t byte) {
  const std::lock_guard guard(Shared::mutex());
  if (shared_->taken.erase(byte) > 0) free_byte(fd(), byte);
}

bool LockFile::is_taken(off_t byte) const {
  const std::lock_guard guard(Shared::mutex());
  if (shared_->taken.contains(byte)) return true;
  auto range = byte_range(F_WRLCK, byte);
  return fcntl(fd(), F_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

FileLock::FileLock(LockFile& file) : file_(file), place_(std::make_shared<Place>()) {
  place_->file = file.shared_;
  place_->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

FileLock::~FileLock() { unlock(); }

bool FileLock::is_valid() const { return place_->event >= 0; }

bool FileLock::try_lock() {
  const std::lock_guard guard(LockFile::Shared::mutex());
  auto& file = *file_.shared_;
  if (file.owner == place_.get()) return true;
  if (place_->queued) return false;
  if (file.try_now()) {
    file.owner = place_.get();
    return true;
  }
  place_->queued = true;
  file.waiting.push_back(place_);
  file.start_helper();
  return false;
}

void FileLock::unlock() {
  const std::lock_guard guard(LockFile::Shared::mutex());
  auto& file = *file_.shared_;
  if (file.owner == place_.get()) {
    free_byte(file.fd(), LockFile::kFairLock);
    file.owner = nullptr;
    eventfd_t ignored = 0;
    eventfd_read(place_->event, &ignored);
    if (!file.waiting.empty()) file.work.notify_all();
  } else if (place_->queued) {
    place_->queued = false;
    std::erase(file.waiting, place_);
  }
}

int FileLock::fd() const { return place_->event; }

}  // namespace vtx::driver
