/* SPDX-License-Identifier: MPL-2.0 */
//
// Received frames, kept as libzmq gave them: their bytes go to the store from where they are. Frames never move
// (a small message's bytes lie inside its zmq_msg_t), and their memory is used again.
#pragma once

#include <zmq.h>

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace vtx {

/// One thread at a time.
class FrameList {
 public:
  FrameList() = default;
  FrameList(const FrameList&) = delete;
  FrameList& operator=(const FrameList&) = delete;
  ~FrameList() { clear(); }

  /// An initialised frame to receive into; it belongs to the list once keep() is called.
  zmq_msg_t* spare() {
    if (size_ == blocks_.size() * kBlock) blocks_.push_back(std::make_unique<Block>());
    zmq_msg_t* frame = at(size_);
    if (!spare_ready_) zmq_msg_init(frame);
    spare_ready_ = true;
    return frame;
  }
  void keep() {
    ++size_;
    spare_ready_ = false;
  }

  /// Closes all but the first `size` of those that were kept; the spare one must have been kept, too.
  void shrink(std::size_t size) {
    while (size_ > size) zmq_msg_close(at(--size_));
  }

  std::size_t size() const { return size_; }
  zmq_msg_t* at(std::size_t index) { return &(*blocks_[index / kBlock])[index % kBlock]; }

  void clear() {
    if (spare_ready_) zmq_msg_close(at(size_));
    spare_ready_ = false;
    while (size_ > 0) zmq_msg_close(at(--size_));
  }

 private:
  static constexpr std::size_t kBlock = 256;
  using Block = std::array<zmq_msg_t, kBlock>;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::size_t size_ = 0;
  bool spare_ready_ = false;
};

}  // namespace vtx
