/* SPDX-License-Identifier: MPL-2.0 */
//
// Where the owner of a database listens: PATH-vtx.sock, for this user alone. A socket's name has 107 bytes at most; where that is more, it is a
// symbolic link to a socket with a short name, so that nobody need guess in which directory that is: what XDG_RUNTIME_DIR says differs from a
// login to a cron job.
#pragma once

#include <string>

#include "util/fd.hpp"
#include "vtx/driver/status.hpp"

namespace vtx::remote {

/// The name beside the database, however its path is spelt. invalid when the path leads nowhere.
Result<std::string> socket_name(const std::string& path);

/// A socket that listens under that name, until it is destroyed. Only for who has the database to itself: whatever listened
/// there before is dead, and its name is taken from it.
class Listener {
 public:
  /// Fails with denied, invalid (the name is taken by something else, or too long), no_space, native.
  static Result<Listener> open(const std::string& name);
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;
  /// Takes the name away, then nobody finds it any more.
  ~Listener();
  int fd() const { return fd_.get(); }

 private:
  Listener(Fd fd, std::string name, std::string real)
      : fd_(std::move(fd)), name_(std::move(name)), real_(std::move(real)) {}
  Fd fd_;
  std::string name_, real_;  // the same, or a link and where it leads
};

/// A connection to who listens there. lost when nobody does, or too many wait; denied when this user may not.
Result<Fd> connect_to(const std::string& name);

}  // namespace vtx::remote
