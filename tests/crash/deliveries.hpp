/* SPDX-License-Identifier: MPL-2.0 */
//
// What was processed, from the logs that consumers write.
#pragma once

#include <map>
#include <set>
#include <string>

#include "support.hpp"

namespace vtx::crash {

/// How often a message was processed.
struct Deliveries {
  int by_all = 0;
  int by_killed = 0;  ///< incarnations that were killed later on
};

/// From the logs, one file an incarnation.
std::map<std::string, Deliveries> read_logs(const Directory& directory, int incarnations, const std::set<int>& killed);

}  // namespace vtx::crash
