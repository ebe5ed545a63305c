/* SPDX-License-Identifier: MPL-2.0 */
//
// Which streams of a queue a link uses: PUSH, PULL and the publishing types share `main`; the others have sides, as in ZeroMQ: who connects
// writes `up` and reads `down`, who binds the other way round.
#pragma once

#include <string>
#include <vector>

#include "pattern/pattern.hpp"

namespace vtx {

struct Lanes {
  std::string writes;  ///< kind of the stream that *any* messages go to
  std::string reads;   ///< kind of the stream that they come from
};

inline Lanes lanes_of(const Pattern& pattern, bool bind) {
  if (pattern.streams == Streams::main) return {"main", "main"};
  return bind ? Lanes{"down", "up"} : Lanes{"up", "down"};
}

/// What a link of a queue is to the others, in a store: "bind:REP". Nothing where there are no sides.
std::string role_of(const Pattern& pattern, bool bind);
/// The roles with which it cannot be on one queue.
std::vector<std::string> roles_excluded_by(const Pattern& pattern, bool bind);

}  // namespace vtx
