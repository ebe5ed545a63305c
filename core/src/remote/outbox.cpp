/* SPDX-License-Identifier: MPL-2.0 */
#include "remote/outbox.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace vtx::remote {

namespace {

constexpr std::size_t kKept = std::size_t{1} << 20;

}  // namespace

bool Outbox::flush(int socket) {
  while (!empty()) {
    const ssize_t sent = ::send(socket, bytes_.data() + begin_, size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      // Part of a frame may have gone: what follows must not be read as the rest of it. Both ends notice by reading.
      (void)::shutdown(socket, SHUT_RDWR);
      bytes_.clear();
      begin_ = 0;
      return false;
    }
    if (sent < 0) break;
    begin_ += static_cast<std::size_t>(sent);
    left_ += static_cast<u64>(sent);
  }
  if (empty()) {
    bytes_.clear();
    begin_ = 0;
    if (bytes_.capacity() > kKept) Bytes().swap(bytes_);
  } else if (begin_ > kKept && begin_ > bytes_.size() / 2) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
  }
  return true;
}

}  // namespace vtx::remote
