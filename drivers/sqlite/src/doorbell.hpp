/* SPDX-License-Identifier: MPL-2.0 */
//
// A datagram socket by which another process says that something has been committed. The datagram carries nothing: who gets one looks for itself.
#pragma once

#include <cstdint>

namespace vtx::sqlite {

class Doorbell {
 public:
  /// Listens at a random address; fd() is negative when that failed, and the watch on the log has to do.
  Doorbell();
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  int fd() const { return fd_; }
  std::uint64_t address() const { return address_; }
  /// Rings another's. False: nobody is there.
  bool ring(std::uint64_t address) const;
  /// True when somebody rang since the last call.
  bool heard() const;

 private:
  int fd_ = -1;
  std::uint64_t address_ = 0;
};

}  // namespace vtx::sqlite
