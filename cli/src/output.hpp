/* SPDX-License-Identifier: MPL-2.0 */
//
// Standard output as `recv` needs it: a write that a signal can end even while the reader at the other end sleeps.
#pragma once

#include <string_view>

#include "signals.hpp"

namespace vtx::cli {

/// Borrows the descriptor and the signals. One thread at a time.
class Output {
 public:
  Output(int fd, Signals& signals);

  /// Writes all, or what can be written before a signal asks to stop and nothing moves any more.
  /// @return bytes written. Throws Failure: the disk is full, the reader has gone
  std::size_t write(std::string_view data);

 private:
  bool wait_writable();

  int fd_;
  Signals& signals_;
  std::size_t chunk_;
};

}  // namespace vtx::cli
