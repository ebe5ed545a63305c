/* SPDX-License-Identifier: MPL-2.0 */
#include "place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>

namespace vtx::rocks {
namespace {

Status explain(int error, const std::string& path) {
  const std::string text = path + ": " + std::strerror(error);
  switch (error) {
    case ENOENT: return {Code::not_found, text + "; make the directory that it is to lie in", error};
    case ENOTDIR: return {Code::invalid, path + " is no directory, and a RocksDB database is one; name another", error};
    case ENOSPC:
    case EDQUOT: return {Code::no_space, text + "; free space on its disk", error};
    case EMFILE:
    case ENFILE: return {Code::lost, text + "; raise the limit of open files (ulimit -n)", error};
    default: return {Code::denied, text + "; make the directory readable and writable for this user", error};
  }
}

/// There locks and syncs cannot be relied on.
bool is_network(int fd) {
  struct statfs system {};
  if (::fstatfs(fd, &system) != 0) return false;
  switch (static_cast<unsigned long>(system.f_type) & 0xffffffffUL) {
    case 0x6969:      // NFS
    case 0x517b:      // SMB
    case 0xff534d42:  // CIFS
    case 0xfe534d42:  // SMB2
    case 0x65735543:  // FUSE's control file system
    case 0x00c36400:  // Ceph
    case 0x5346414f:  // AFS
      return true;
    default: return false;
  }
}

/// The directories that this process has open.
struct Taken {
  std::mutex mutex;
  std::set<Place::Key> keys;
};
Taken& taken() {
  static Taken one;
  return one;
}

}  // namespace

Result<Place> Place::open(const std::string& path, bool create) {
  if (path.empty())
    return fail(Code::invalid, "rocksdb: needs the path of a directory, as in rocksdb:///var/lib/app/q");
  if (create && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return tl::unexpected(explain(errno, path));
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return fail(Code::not_found, "There is no database at " + path + ".", ENOENT);
  if (fd < 0) return tl::unexpected(explain(errno, path));
  struct stat found {};
  char resolved[PATH_MAX];
  if (::fstat(fd, &found) != 0 || !::realpath(path.c_str(), resolved)) {
    const int error = errno;
    ::close(fd);
    return tl::unexpected(explain(error, path));
  }
  Place place(fd, resolved, {found.st_dev, found.st_ino});
  if (::faccessat(AT_FDCWD, resolved, R_OK | W_OK | X_OK, AT_EACCESS) != 0) return tl::unexpected(explain(errno, path));
  if (is_network(fd))
    return fail(Code::unsupported, path + " is on a network file system; put the database on a local disk");
  return place;
}

Place::Place(Place&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      key_(std::move(other.key_)),
      taken_(std::exchange(other.taken_, false)) {}

Place::~Place() {
  if (taken_) {
    const std::lock_guard lock(taken().mutex);
    taken().keys.erase(key_);
  }
  if (fd_ >= 0) ::close(fd_);
}

bool Place::is_current() const {
  struct stat found {};
  return ::stat(path_.c_str(), &found) == 0 && Key(found.st_dev, found.st_ino) == key_;
}

Status Place::take() {
  // Asking for the lock drops one that this process has, so nobody may ask who could be the second here.
  const std::lock_guard lock(taken().mutex);
  if (!taken().keys.insert(key_).second) return {Code::busy, path_ + " is open in this process already"};
  taken_ = true;
  return check_free();
}

/// RocksDB would find out too, but only after it has begun a new log file in the owner's directory.
Status Place::check_free() const {
  const int file = ::openat(fd_, "LOCK", O_RDWR | O_CLOEXEC);
  if (file < 0) return {};
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool asked = ::fcntl(file, F_GETLK, &lock) == 0;
  ::close(file);
  if (!asked || lock.l_type == F_UNLCK) return {};
  return {Code::busy, path_ + " is open in another process (" + std::to_string(lock.l_pid) + ")"};
}

}  // namespace vtx::rocks
