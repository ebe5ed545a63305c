/* SPDX-License-Identifier: MPL-2.0 */
//
// Puts messages into a link, never more than a bounded amount beyond what is durable, and waits until all is.
#pragma once

#include <cstdint>

#include "format.hpp"
#include "session.hpp"

namespace vtx::cli {

/// One thread at a time.
class Sender {
 public:
  /// @param link  of a type that sends; borrowed
  explicit Sender(Link& link) : link_(link) {}

  /// Sends all frames, which are empty afterwards. @return false when a signal asked to stop: the message is not sent
  bool send(Frames& frames);

  /// Waits until all that was sent is durable; after a signal for a few seconds only. @return false when it gave up
  bool flush();

  std::uint64_t count() const noexcept { return count_; }

 private:
  Link& link_;
  std::uint64_t count_ = 0;
  std::uint64_t bytes_since_flush_ = 0;
};

}  // namespace vtx::cli
