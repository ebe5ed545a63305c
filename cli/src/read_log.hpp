/* SPDX-License-Identifier: MPL-2.0 */
//
// The loop that tail, peek and replay share: from a log into a sink, up to where it is to end.
#pragma once

#include <cstdint>
#include <optional>

#include "instant.hpp"
#include "log_reader.hpp"

namespace vtx::cli {

/// Where messages of a log go.
class Sink {
 public:
  virtual ~Sink() = default;
  /// Takes one message, whose frames may be empty afterwards. @return false: a signal asked to stop, it was not taken
  virtual bool put(LogMessage& message) = 0;
  /// No more is there at once: what was kept back goes out. @return false: a signal asked to stop, not all went out
  virtual bool flush() = 0;
};

/// Where to end; whichever comes first. As it is: never.
struct Bounds {
  std::uint64_t count = UINT64_MAX;   ///< after so many messages
  std::optional<std::uint64_t> last;  ///< with this sequence, which may be still to come
  std::optional<Instant> before;      ///< with what was sent before this time, which may be still to come
};

/// One reading. One thread.
class LogReading {
 public:
  /// All borrowed.
  LogReading(LogReader& reader, const Bounds& bounds, Sink& sink) : reader_(reader), bounds_(bounds), sink_(sink) {}

  /// What stands behind the end stays in the reader. @return false when a signal ended it
  bool run();
  /// Messages that the sink took.
  std::uint64_t count() const noexcept { return count_; }

 private:
  bool is_behind_the_end(const LogMessage& message) const;
  bool has_passed_the_end();
  bool wait();
  bool stop();

  LogReader& reader_;
  Bounds bounds_;
  Sink& sink_;
  std::uint64_t count_ = 0;
  std::chrono::milliseconds pause_{};
};

}  // namespace vtx::cli
