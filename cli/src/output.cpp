/* SPDX-License-Identifier: MPL-2.0 */
//
// See output.hpp.
#include "output.hpp"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "failure.hpp"

namespace vtx::cli {
namespace {

constexpr int kGraceMs = 1000;  // for a reader that is only busy when the signal comes

bool is_regular(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

// A pipe that polls as writable takes PIPE_BUF bytes without blocking; signals are blocked, so a longer write would
// not be interrupted. O_NONBLOCK is no way out: it would change the descriptor for everybody who shares it.
Output::Output(int fd, Signals& signals)
    : fd_(fd), signals_(signals), chunk_(is_regular(fd) ? std::size_t{1} << 20 : PIPE_BUF) {}

std::size_t Output::write(std::string_view data) {
  std::size_t written = 0;
  while (written < data.size() && wait_writable()) {
    const ssize_t count = ::write(fd_, data.data() + written, std::min(chunk_, data.size() - written));
    if (count >= 0)
      written += static_cast<std::size_t>(count);
    else if (errno == EPIPE)
      throw Failure(
          "standard output: its reader has gone; what it had not taken stays in the queue (use -n to take some)");
    else if (errno != EINTR && errno != EAGAIN)
      throw system_failure("standard output");
  }
  return written;
}

bool Output::wait_writable() {
  for (;;) {
    pollfd items[] = {{fd_, POLLOUT, 0}, {signals_.fd(), POLLIN, 0}};
    const bool stopping = signals_.taken() != 0;
    const int ready = poll(items, 2, stopping ? kGraceMs : -1);
    if (items[0].revents != 0) return true;
    if (signals_.taken() != 0 && (signals_.count() > 1 || ready == 0)) return false;
  }
}

}  // namespace vtx::cli
