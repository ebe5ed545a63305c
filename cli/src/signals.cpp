/* SPDX-License-Identifier: MPL-2.0 */
//
// Signals by signalfd. What the parent had told us to ignore (nohup, a shell's background jobs) stays ignored.
#include "signals.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "failure.hpp"

namespace vtx::cli {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&set, number);
  }
  return set;
}

}  // namespace

Signals::Signals() {
  signal(SIGPIPE, SIG_IGN);
  const sigset_t set = stop_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd_ < 0) throw system_failure("signalfd");
}

Signals::~Signals() {
  release();
  close(fd_);
}

int Signals::taken() {
  signalfd_siginfo info{};
  while (read(fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    ++count_;
    if (first_ == 0) first_ = static_cast<int>(info.ssi_signo);
  }
  return first_;
}

void Signals::release() {
  const sigset_t set = stop_signals();
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace vtx::cli
