/* SPDX-License-Identifier: MPL-2.0 */
#include "remote/peer_process.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "vtx/driver/process_name.hpp"

namespace vtx::remote {

namespace {

/// By number: glibc has no name for it before 2.36.
int open_process(pid_t pid) {
  errno = ENOSYS;
#ifdef SYS_pidfd_open
  return pid > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1;
#else
  return pid, -1;
#endif
}

}  // namespace

Result<PeerProcess> peer_of(int socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
    return fail(Code::native, "cannot tell who is at the other end of a Unix socket", errno);
  if (who.uid != ::geteuid())
    return fail(Code::denied, "the database belongs to a process of user " + std::to_string(who.uid) +
                                  ", and only processes of one user can share it; this is user " +
                                  std::to_string(::geteuid()));
  Fd process(open_process(who.pid));
  // Not to be told of its death for want of a descriptor would leave its holders to their leases.
  if (!process.valid() && (errno == EMFILE || errno == ENFILE))
    return fail(Code::lost, "no descriptors left to watch who is at the other end of a Unix socket", errno);
  return PeerProcess{who.uid, std::move(process), driver::name_of_process(who.pid)};
}

}  // namespace vtx::remote
