/* SPDX-License-Identifier: MPL-2.0 */
//
// Puts messages into a link, never more than a bounded amount beyond what is durable, and waits until all is.
#pragma once

#include <cstdint>

#include "message.hpp"
#include "session.hpp"

namespace vtx::cli {

/// One thread at a time.
class Sender {
 public:
  /// @param link  of a type that sends; borrowed
  /// @param properties  the link has properties=on: each message gets a last frame with them. Otherwise a message may have none
  explicit Sender(Link& link, bool properties = false)
      : link_(link), properties_(properties), awaits_subscriber_(link.socket_type() == ZMQ_XPUB) {}

  /// Sends all frames, which are empty afterwards. What is published before a subscriber is there would reach nobody, so the first
  /// message waits for one; a store is one. @return false when a signal asked to stop: the message is not sent
  bool send(Message& message);

  /// Waits until all that was sent is durable; after a signal for a few seconds only. @return false when it gave up
  bool flush();

  std::uint64_t count() const noexcept { return count_; }

 private:
  bool wait_for_subscriber();

  Link& link_;
  bool properties_;
  bool awaits_subscriber_;
  std::uint64_t count_ = 0;
  std::uint64_t bytes_since_flush_ = 0;
};

}  // namespace vtx::cli
