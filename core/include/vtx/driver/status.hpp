/* SPDX-License-Identifier: MPL-2.0 */
//
// The one list of failure codes, each saying what the caller should do about it, and the Status that
// carries a code with a sentence for people. Apart from the Store header because endpoint parsing, wires
// and the C ABI use it too.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "vtx/export.h"

namespace vtx {

/// What happened, grouped by what the caller should do.
enum class Code {
  ok,
  // Wait, then do the same again: another moment or machine may cure it. Never fails vtx_bind or vtx_connect.
  busy,      ///< somebody else holds it (a lock, a name): try again
  no_space,  ///< disk or store full: free space, then submit again
  full,      ///< the queue is at its limit: submit again when there is room
  lost,      ///< the session is gone; no effect, or one that repeating does not double: reopen, submit again
  in_doubt,  ///< the session is gone while a commit ran: reopen, submit the very same Commit again
  // The claim or name is another's now: drop it.
  fenced,
  // Waiting cannot cure these: fails the call, or ends the link with an event.
  invalid,       ///< fix the input (EINVAL)
  denied,        ///< permissions, read-only file (EACCES)
  not_found,     ///< no such directory, queue, group (ENOENT)
  mismatch,      ///< declared differently by who created it (EEXIST)
  unsupported,   ///< not here, or not yet (ENOTSUP)
  no_scheme,     ///< no driver for this scheme: register one, or mend the URI (EPROTONOSUPPORT)
  newer_schema,  ///< written by a newer VTX: upgrade this library (EPROTO)
  corrupt,       ///< not a database, or damaged: restore or repair (EILSEQ)
  native,        ///< what Status::native() says, an errno of libzmq or the system
  internal,      ///< a defect of ours (EFAULT)
};

/// The errno value that the C ABI reports for `code`; 0 for ok.
VTX_EXPORT int to_errno(Code code) noexcept;
/// True when waiting or reopening may cure it.
VTX_EXPORT bool is_passing(Code code) noexcept;

/// Outcome of an operation. Immutable once made; cheap when ok.
class [[nodiscard]] Status {
 public:
  Status() = default;
  /// @param text    a sentence: what happened, to what, and what to do
  /// @param native  errno, SQLSTATE or library code; 0 none
  Status(Code code, std::string text, int native = 0) : code_(code), native_(native), text_(std::move(text)) {}

  bool ok() const noexcept { return code_ == Code::ok; }
  Code code() const noexcept { return code_; }
  int native() const noexcept { return native_; }
  const std::string& text() const noexcept { return text_; }

 private:
  Code code_ = Code::ok;
  int native_ = 0;
  std::string text_;
};

template <class T>
using Result = tl::expected<T, Status>;

/// Shorthand for returning a failure from a function that returns Result.
inline tl::unexpected<Status> fail(Code code, std::string text, int native = 0) {
  return tl::unexpected<Status>(Status(code, std::move(text), native));
}

}  // namespace vtx
