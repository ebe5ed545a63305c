/* SPDX-License-Identifier: MPL-2.0 */
//
// Threads of the library must not run the application's signal handlers: they are started with all signals blocked, as libzmq's.
#pragma once

#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

namespace vtx {

template <class Body>
std::thread quiet_thread(Body body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace vtx
