/* SPDX-License-Identifier: MPL-2.0 */
//
// How long messages take that are sent at a steady pace, as by an application with a timer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arena.hpp"

namespace vtx::bench {

/// Microseconds until received, of each message.
struct Latencies {
  std::vector<double> since_sent;
  std::vector<double> since_due;  ///< a sender that wakes late, or that is held up, is late, too
};

/// Five seconds of so many messages a second, or options.messages, from a PUSH to a PULL of this process, each in a thread of its own. What goes before
/// to warm up is not counted.
/// @param of_sender  options for the PUSH alone, each with its '&'
Latencies at_steady_pace(std::uint64_t rate, const std::string& endpoint, const std::string& of_sender,
                         const Options& options);

}  // namespace vtx::bench
