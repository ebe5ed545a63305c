/* SPDX-License-Identifier: MPL-2.0 */
//
// The context's reaper thread releases the messages that nobody read from a closed socket. A probe (a message left
// unread in a closed socket) tells which thread that is, and, sent later, when the reaper has got that far.
#pragma once

#include <pthread.h>

#include <functional>

#include "vtx/driver/status.hpp"

namespace vtx {

/// Leaves a message to the reaper, which calls `done` when it gets there. Any thread. False when the context has no socket left or was terminated.
bool probe_reaper(void* zmq_context, std::function<void()> done);

/// Finds the reaper's thread by a probe. Blocks for as long as the reaper takes.
Result<pthread_t> find_reaper(void* zmq_context);

/// An inproc address that nobody else in this process uses.
std::string unique_inproc(const char* what);

}  // namespace vtx
