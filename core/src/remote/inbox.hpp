/* SPDX-License-Identifier: MPL-2.0 */
//
// What comes in over a connection, cut into frames. Memory grows with the bytes that have come, never with what a length announces, and goes with
// what has been taken.
#pragma once

#include <memory>
#include <optional>

#include "remote/wire.hpp"

namespace vtx::remote {

/// One thread at a time.
class Inbox {
 public:
  enum class State {
    drained,  ///< nothing more for now
    more,     ///< there may be more
    ended,    ///< the other side is gone: what came before may still be taken
  };

  struct Frame {
    Kind kind;
    Slice content;  ///< until the next call
  };

  /// Receives from a socket that does not block, so much as is good to handle at once. Bad news for good: after `ended` comes `ended`.
  State fill(int socket);
  /// The next whole frame.
  std::optional<Frame> next();
  /// Memory that it has.
  std::size_t capacity() const { return capacity_; }
  /// A length that no frame has: what follows means nothing.
  bool broken() const { return broken_; }

 private:
  std::optional<Frame> cut();
  void make_room();
  void shrink();
  void move_to(std::size_t capacity);

  std::unique_ptr<std::byte[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;  // of what was not taken yet
  std::size_t end_ = 0;
  bool broken_ = false;
};

}  // namespace vtx::remote
