/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/status.hpp"

#include <cerrno>

namespace vtx {

int to_errno(Code code) noexcept {
  switch (code) {
    case Code::ok: return 0;
    case Code::busy: return EBUSY;
    case Code::no_space: return ENOSPC;
    case Code::full: return ENOBUFS;
    case Code::lost:
    case Code::in_doubt: return EAGAIN;
    case Code::fenced: return EALREADY;
    case Code::invalid: return EINVAL;
    case Code::denied: return EACCES;
    case Code::not_found: return ENOENT;
    case Code::mismatch: return EEXIST;
    case Code::unsupported: return ENOTSUP;
    case Code::no_scheme: return EPROTONOSUPPORT;
    case Code::newer_schema: return EPROTO;
    case Code::corrupt: return EILSEQ;
    case Code::native:
    case Code::internal: return EFAULT;
  }
  return EFAULT;
}

bool is_passing(Code code) noexcept {
  return code == Code::busy || code == Code::no_space || code == Code::full || code == Code::lost ||
         code == Code::in_doubt;
}

}  // namespace vtx
