/* SPDX-License-Identifier: MPL-2.0 */
//
// Values of endpoint options that reach a store as text, because it keeps them for people to read (`retain`) or because only its clock can
// tell what they mean (`from`). One parser for core, which checks what a user wrote, and for the drivers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "vtx/driver/clock.hpp"
#include "vtx/driver/status.hpp"

namespace vtx::driver {

/// How long a queue keeps its messages: option `retain`.
struct Retention {
  enum class Kind : std::uint8_t {
    consumed,  ///< until every group has settled it
    forever,
    age,    ///< `age`, slow groups or not
    count,  ///< the newest `amount` messages of each stream, slow groups or not
    size,  ///< the newest messages of each stream whose bodies have at most `amount` bytes together, slow groups or not
  };
  Kind kind = Kind::consumed;
  Ms age{};
  std::uint64_t amount = 0;
  bool operator==(const Retention&) const = default;
};

/// "consumed", "forever", "7d", "100000", "64MiB". A failure is half a sentence that follows "option 'retain': ".
VTX_EXPORT Result<Retention> parse_retention(std::string_view text);
/// The one text for it, which parse_retention() understands.
VTX_EXPORT std::string to_text(const Retention& retention);

/// How much a queue may hold in each direction: option `limit`.
struct QueueLimit {
  std::uint64_t messages = UINT64_MAX;
  std::uint64_t bytes = UINT64_MAX;
  bool operator==(const QueueLimit&) const = default;

  bool none() const { return *this == QueueLimit{}; }
  /// How much `more` still fits beside what is there; a single message that is larger than all fits where nothing is.
  bool fits(const QueueLimit& there, const QueueLimit& more) const {
    return (there.messages == 0 && more.messages == 1) ||
           (more.messages <= left(there).messages && more.bytes <= left(there).bytes);
  }
  QueueLimit left(const QueueLimit& there) const {
    return {messages - std::min(messages, there.messages), bytes - std::min(bytes, there.bytes)};
  }
};

/// "" or "none", "100000", "64MiB". A failure is half a sentence that follows "option 'limit': ".
VTX_EXPORT Result<QueueLimit> parse_limit(std::string_view text);
/// The one text for it, which parse_limit() understands; "" for none.
VTX_EXPORT std::string to_text(const QueueLimit& limit);

/// Where a new group or a reader begins: option `from`.
struct Start {
  enum class Kind : std::uint8_t {
    oldest,
    now,   ///< after the newest
    seq,   ///< at `seq`, or the first one behind it that is retained
    time,  ///< at the first message stored at `time` or later
    age,   ///< likewise, so long ago
  };
  Kind kind = Kind::oldest;
  std::uint64_t seq = 0;
  StoreTime time{};
  Ms age{};
  bool operator==(const Start&) const = default;
};

/// "oldest", "now", "seq:N", "time:2026-11-21T08:00:00Z" (RFC 3339), "-15m". A failure is half a sentence that follows "option 'from': ".
VTX_EXPORT Result<Start> parse_start(std::string_view text);

}  // namespace vtx::driver
