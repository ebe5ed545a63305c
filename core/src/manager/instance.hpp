/* SPDX-License-Identifier: MPL-2.0 */
//
// A driver instance: one scheme, one thread. What the manager asks of it, whichever door the driver came in by.
#pragma once

#include <memory>
#include <string>

#include "manager/link.hpp"
#include "vtx/vtx.h"

namespace vtx {

/// Thread-safe: application threads call, the driver's thread does.
class Instance {
 public:
  using LinkId = std::uint64_t;

  virtual ~Instance() = default;

  /// Makes a link and joins the application's socket to it. Waits for the store, a second at most. Application thread of that socket.
  /// Answers the inproc addresses by which the socket was joined.
  virtual Result<std::vector<std::string>> open(LinkId id, LinkRequest request) = 0;
  /// Ends a link. Waits only for what must come in order: the answer of the driver thread, not of the store.
  /// @param socket_stays  the socket goes on without this link (disconnect); else it is about to be closed
  virtual void close(LinkId id, void* socket, int linger_ms, bool socket_stays) = 0;
  virtual Status flush(LinkId id, driver::Ms timeout) = 0;
  /// Decides a delivered message by its Delivery-Id. False when the link has none such in hand.
  virtual bool decide(LinkId id, const std::string& delivery_id, Outcome outcome, std::uint32_t delay_ms) = 0;
  /// Adds the link's counters and depth to `stats`. False when it has ended.
  virtual bool add_stats(LinkId id, vtx_stats_t& stats) = 0;
  /// Begins to end: every link closes within its own linger. Then delete, which waits.
  virtual void shut_down() = 0;
};

}  // namespace vtx
