/* SPDX-License-Identifier: MPL-2.0 */
//
// Who is at the other end of a Unix socket, as the kernel says.
#pragma once

#include <sys/types.h>

#include <string>

#include "util/fd.hpp"
#include "vtx/driver/status.hpp"

namespace vtx::remote {

struct PeerProcess {
  uid_t user = static_cast<uid_t>(-1);
  /// Readable as soon as the process is gone. Invalid when that cannot be known: an old kernel, another PID namespace.
  ///
  /// It tells what the connection does not: a child of the process that was forked and not exec'd keeps the connection open.
  Fd process;
  std::string name;  ///< process_name.hpp
};

/// denied when it is another user's; lost without descriptors left; native when the kernel tells nothing.
Result<PeerProcess> peer_of(int socket);

}  // namespace vtx::remote
