/* SPDX-License-Identifier: MPL-2.0 */
//
// What a link counts, and what it tells its owner. The owner decides where it goes: monitor events, vtx_stats.
#pragma once

#include <cstdint>
#include <string>

namespace vtx {

/// Driver thread only.
struct LinkStats {
  std::uint64_t taken = 0, durable = 0, commits = 0;
  std::uint64_t delivered = 0, redelivered = 0, settled = 0, nacked = 0, returned = 0;
  std::uint64_t filtered = 0, expired = 0, dead_lettered = 0, fenced = 0, dropped = 0, trimmed = 0, undeliverable = 0;
  std::uint64_t refused = 0;
  std::uint64_t claims = 0;
};

/// Receives a link's events. Driver thread.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  /// @param code  VTX_EVENT_… of vtx.h
  virtual void on_link_event(int code, const std::string& sentence) = 0;
};

}  // namespace vtx
