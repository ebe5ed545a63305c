/* SPDX-License-Identifier: MPL-2.0 */
//
// Where the owner of a database listens: PATH-vtx.sock, for this user alone. A socket's name has 107 bytes at most, a path any number: so both ends go
// through /proc/self/fd.
#pragma once

#include <string>

#include "remote/file_id.hpp"
#include "util/fd.hpp"
#include "vtx/driver/status.hpp"

namespace vtx::remote {

/// The name beside the database, however its path is spelt. invalid when the path leads nowhere.
Result<std::string> socket_name(const std::string& path);

/// A socket that listens under that name, until it is destroyed. Only for who has the database to itself: whatever listened
/// there before is dead, and its name is taken from it.
class Listener {
 public:
  /// Who finds the name finds somebody who listens.
  /// Fails with denied, invalid (the name is taken by something else), unsupported (no /proc), no_space, lost (no descriptors left), native.
  static Result<Listener> open(const std::string& name);
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;
  /// Takes the name away, then nobody finds it any more. One that meanwhile leads to another socket stays.
  ~Listener();

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }
  /// True when the name leads nowhere any more: somebody has cleaned up. Another open() mends it.
  bool is_gone() const;

 private:
  Listener(Fd fd, std::string name, FileId file) : fd_(std::move(fd)), name_(std::move(name)), file_(file) {}
  Fd fd_;
  std::string name_;
  FileId file_;  // nobody else's while fd_ is open
};

/// A connection to who listens there. lost when nobody does, too many wait, or no descriptors are left; denied when this user may not;
/// unsupported without /proc.
Result<Fd> connect_to(const std::string& name);

}  // namespace vtx::remote
