/* SPDX-License-Identifier: MPL-2.0 */
//
// Reads the log of a queue without taking anything from it: what tail, peek and replay stand on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "message.hpp"
#include "session.hpp"

namespace vtx::cli {

/// A message where it lies in its log.
struct LogMessage {
  Message message;
  std::uint64_t sequence = 0;

  /// As RFC 3339 has it, a part of the properties.
  std::string_view sent_time() const { return property_of(message.properties, "Sent-Time"); }
};

/// The sequences that a queue holds: `first` to `last`, none when `first` is greater.
struct Extent {
  std::uint64_t first;
  std::uint64_t last;
};

/// Which log is read, and what of it.
struct LogSource {
  std::string endpoint;
  std::vector<std::string> prefixes;  ///< none: everything
};

/// Asks the store. Throws Failure when there is no such database or queue: looking makes none.
Extent extent_of(Session& session, const std::string& endpoint);

/// A subscriber without a name. One thread at a time.
class LogReader {
 public:
  /// @param from  as the endpoint's option of that name; the empty text: what the endpoint says itself, or the oldest
  LogReader(Session& session, const LogSource& source, const std::string& from);

  /// The next message, without waiting. @return false when none is there
  bool take(LogMessage& message);
  /// The message that was taken last is the next one again.
  void put_back(LogMessage message) { returned_ = std::move(message); }

  /// True when everything up to `sequence` has been given out and let go. Asks the store.
  bool has_passed(std::uint64_t sequence);

  Link& link() noexcept { return link_; }

 private:
  Link link_;
  std::optional<LogMessage> returned_;
};

}  // namespace vtx::cli
