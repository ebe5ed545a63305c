/* SPDX-License-Identifier: MPL-2.0 */
//
// One epoll descriptor, which is readable itself when any of what it watches has news: so it can be what Store::fd() is.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <span>

#include "util/fd.hpp"

namespace vtx::remote {

/// One thread at a time.
class Poller {
 public:
  Poller() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {}
  bool valid() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }

  /// Level-triggered. False without memory or watches left.
  bool add(int fd, std::uint64_t key, std::uint32_t events = EPOLLIN) {
    return control(EPOLL_CTL_ADD, fd, key, events);
  }
  void change(int fd, std::uint64_t key, std::uint32_t events) { (void)control(EPOLL_CTL_MOD, fd, key, events); }
  void remove(int fd) { (void)::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  /// What has news now; the rest comes with the next look. Until then the span is good.
  std::span<const epoll_event> look() {
    int count = 0;
    do {
      count = ::epoll_wait(fd_.get(), events_.data(), static_cast<int>(events_.size()), 0);
    } while (count < 0 && errno == EINTR);
    return {events_.data(), static_cast<std::size_t>(count < 0 ? 0 : count)};
  }

 private:
  bool control(int what, int fd, std::uint64_t key, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = key;
    return ::epoll_ctl(fd_.get(), what, fd, &event) == 0;
  }

  Fd fd_;
  std::array<epoll_event, 64> events_{};
};

}  // namespace vtx::remote
