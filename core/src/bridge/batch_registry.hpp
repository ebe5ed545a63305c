/* SPDX-License-Identifier: MPL-2.0 */
//
// Finds the message that a data pointer belongs to: vtx_ack and vtx_nack get a zmq_msg_t and nothing else.
#pragma once

#include <map>
#include <mutex>

#include "bridge/release.hpp"

namespace vtx {

/// Thread-safe. A registered batch is held by its driver's reference until remove() returned.
class BatchRegistry {
 public:
  enum class Decided { done, unknown, already };

  void add(Batch* batch);
  void remove(Batch* batch);
  /// Decides the message that covers `data`.
  Decided decide(const void* data, Outcome outcome, std::uint32_t delay_ms);

 private:
  std::mutex mutex_;
  std::map<const void*, Batch*>
      by_begin_;  // each batch twice: by its buffer, and by its slots (which stand for empty frames)
};

}  // namespace vtx
