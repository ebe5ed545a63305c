/* SPDX-License-Identifier: MPL-2.0 */
#include "doorbell.hpp"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace vtx::sqlite {
namespace {

// Abstract: no file that a crash leaves behind.
socklen_t make_address(std::uint64_t number, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  const int length = std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "vtx-%016llx",
                                   static_cast<unsigned long long>(number));
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<std::size_t>(length));
}

}  // namespace

Doorbell::Doorbell() {
  if (getrandom(&address_, sizeof address_, GRND_NONBLOCK) != sizeof address_) return;
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  const auto length = make_address(address_, address);
  if (fd_ >= 0 && bind(fd_, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    close(fd_);
    fd_ = -1;
  }
  if (fd_ < 0) address_ = 0;
}

Doorbell::~Doorbell() {
  if (fd_ >= 0) close(fd_);
}

bool Doorbell::ring(std::uint64_t number) const {
  if (fd_ < 0) return false;
  sockaddr_un address{};
  const auto length = make_address(number, address);
  // A full queue means that it has been rung and not yet heard.
  return sendto(fd_, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length) == 1 ||
         errno == EAGAIN || errno == ENOBUFS;
}

bool Doorbell::heard() const {
  bool any = false;
  char byte;
  // Bounded: a flood by a stranger must not keep the driver here.
  for (int i = 0; i < 64 && fd_ >= 0 && recv(fd_, &byte, 1, MSG_DONTWAIT) >= 0; ++i) any = true;
  return any;
}

}  // namespace vtx::sqlite
