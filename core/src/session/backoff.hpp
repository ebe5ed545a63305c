/* SPDX-License-Identifier: MPL-2.0 */
//
// How long to wait before the next attempt to open a session, as the socket's RECONNECT_IVL and
// RECONNECT_IVL_MAX say. Randomness is passed in; nothing here looks at a clock or sleeps.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "vtx/driver/clock.hpp"

namespace vtx {

/// One thread at a time.
class Backoff {
 public:
  using Random = std::function<std::uint64_t()>;  ///< any 64 bits

  /// @param interval  ZMQ_RECONNECT_IVL: -1 never again; 0 is taken for 1 ms, so that a store which fails at once is not spun on
  /// @param most      ZMQ_RECONNECT_IVL_MAX: the interval doubles up to it; 0, or not above the interval: it stays constant
  Backoff(driver::Ms interval, driver::Ms most, Random random);

  /// How long to wait after one more failure; nullopt: give up. Every wait has a jitter of up to one interval, as libzmq's, so
  /// that a thousand clients of a restarted server do not come in step; unlike there it never leads beyond `most`.
  std::optional<driver::Ms> next();

  /// The session was live: the next wait is the first again.
  void reset();

 private:
  const bool never_;
  const driver::Ms interval_;
  const driver::Ms most_;
  const Random random_;
  driver::Ms base_;
};

}  // namespace vtx
