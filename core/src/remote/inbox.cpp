/* SPDX-License-Identifier: MPL-2.0 */
#include "remote/inbox.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vtx::remote {

namespace {

constexpr std::size_t kLeast = std::size_t{64} << 10;
constexpr std::size_t kKept = std::size_t{1} << 20;    // so much may stay though it is not needed
constexpr std::size_t kAtOnce = std::size_t{4} << 20;  // then others have their turn

}  // namespace

void Inbox::move_to(std::size_t capacity) {
  const std::size_t used = end_ - begin_;
  auto data = capacity == 0 ? nullptr : std::make_unique_for_overwrite<std::byte[]>(capacity);
  if (used > 0) std::memcpy(data.get(), data_.get() + begin_, used);
  data_ = std::move(data);
  capacity_ = capacity;
  begin_ = 0;
  end_ = used;
}

/// Twice as much when it is full of what has come.
void Inbox::make_room() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ < capacity_) return;
  move_to((end_ - begin_) * 2 >= capacity_ ? std::max(kLeast, capacity_ * 2) : capacity_);
}

/// What a large frame needed is given back when only little has come behind it.
void Inbox::shrink() {
  const std::size_t used = end_ - begin_;
  if (capacity_ > kKept && used < capacity_ / 4) move_to(used == 0 ? 0 : std::max(kLeast, used * 2));
}

Inbox::State Inbox::fill(int socket) {
  std::size_t taken = 0;
  while (taken < kAtOnce) {
    make_room();
    const ssize_t got = ::recv(socket, data_.get() + end_, capacity_ - end_, MSG_DONTWAIT);
    if (got > 0) {
      end_ += static_cast<std::size_t>(got);
      taken += static_cast<std::size_t>(got);
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return State::drained;
    return State::ended;
  }
  return State::more;
}

std::optional<Inbox::Frame> Inbox::next() {
  auto frame = cut();
  if (!frame) shrink();
  return frame;
}

std::optional<Inbox::Frame> Inbox::cut() {
  u32 length = 0;
  if (broken_ || end_ - begin_ < sizeof length) return std::nullopt;
  std::memcpy(&length, data_.get() + begin_, sizeof length);
  if (length == 0 || length > kMaxFrame) {
    broken_ = true;
    return std::nullopt;
  }
  if (end_ - begin_ - sizeof length < length) return std::nullopt;
  const std::byte* content = data_.get() + begin_ + sizeof length;
  begin_ += sizeof length + length;
  return Frame{static_cast<Kind>(*content), {content + 1, length - 1}};
}

}  // namespace vtx::remote
