/* SPDX-License-Identifier: MPL-2.0 */
//
// What waits to go out over a connection. Frames are written at its end (wire.hpp) and leave as fast as the other side takes them.
#pragma once

#include "remote/wire.hpp"

namespace vtx::remote {

/// One thread at a time.
class Outbox {
 public:
  /// Where frames are appended.
  Bytes& end() { return bytes_; }
  bool empty() const { return size() == 0; }
  std::size_t size() const { return bytes_.size() - begin_; }
  /// Counts all that was ever appended, and all of it that has left: an answer can only come of what has left whole.
  u64 appended() const { return left_ + size(); }
  u64 left() const { return left_; }

  /// Sends without blocking. False when the other side is gone; what it did not get is dropped.
  bool flush(int socket);

 private:
  Bytes bytes_;
  std::size_t begin_ = 0;
  u64 left_ = 0;
};

}  // namespace vtx::remote
