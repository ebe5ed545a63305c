/* SPDX-License-Identifier: MPL-2.0 */
//
// When has nothing come for long enough? Not while another consumer of the group still holds messages: should it die,
// they come to this one. Apart from recv because it asks the store and has a clock.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "session.hpp"

namespace vtx::cli {

/// The time runs from start() on, and begins again whenever it is seen that others hold claims or the store has trouble.
/// One thread at a time.
class Idle {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = std::chrono::milliseconds;

  /// @param group  whose other members may hold messages; nothing: nobody else's messages can come here
  /// @param limit  nothing: never idle
  Idle(Link& link, std::optional<std::string> group, std::optional<Time> limit);

  /// A message has come, or the wait begins.
  void start();
  /// How long to wait for messages before asking is_over() again.
  Time next_look() const;
  /// True when the time has run out. Asks the store now and then.
  bool is_over();

 private:
  bool others_hold_claims();

  Link& link_;
  std::optional<std::string> group_;
  std::optional<Time> limit_;
  Time interval_{};  // between two looks at the store
  Clock::time_point since_ = Clock::now();
  Clock::time_point looked_ = since_;
};

}  // namespace vtx::cli
