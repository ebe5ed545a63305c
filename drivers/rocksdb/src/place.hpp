/* SPDX-License-Identifier: MPL-2.0 */
//
// The directory of a database: found or made, known by what it is rather than by its name, and looked after while it is open.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "vtx/driver/status.hpp"

namespace vtx::rocks {

/// An open directory.
class Place {
 public:
  using Key = std::pair<dev_t, ino_t>;

  /// @param create  make it when it is missing; the directory that it lies in must exist
  /// Fails with not_found, invalid (no directory), denied, no_space, unsupported (a network file system).
  static Result<Place> open(const std::string& path, bool create);
  Place(Place&& other) noexcept;
  Place& operator=(Place&&) = delete;
  ~Place();

  int fd() const { return fd_; }
  /// Absolute and without links, as it was found.
  const std::string& path() const { return path_; }
  Key key() const { return key_; }
  /// False once the name leads to another directory, or to none.
  bool is_current() const;
  /// Takes it for this process and this opening alone, until the end of this object, as far as it is for us: between processes RocksDB's own lock
  /// decides, which would let one process open a directory twice. busy when somebody has it open.
  Status take();
  /// busy when another process has it open.
  Status check_free() const;

 private:
  Place(int fd, std::string path, Key key) : fd_(fd), path_(std::move(path)), key_(key) {}

  int fd_;
  std::string path_;
  Key key_;
  bool taken_ = false;
};

}  // namespace vtx::rocks
