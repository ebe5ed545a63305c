/* SPDX-License-Identifier: MPL-2.0 */
#include "deliveries.hpp"

#include <fmt/format.h>

#include <fstream>

namespace vtx::crash {

std::map<std::string, Deliveries> read_logs(const Directory& directory, int incarnations, const std::set<int>& killed) {
  std::map<std::string, Deliveries> seen;
  for (int i = 0; i < incarnations; ++i) {
    std::ifstream log(directory / fmt::format("log-{}", i));
    for (std::string line; std::getline(log, line);) {
      ++seen[line].by_all;
      if (killed.contains(i)) ++seen[line].by_killed;
    }
  }
  return seen;
}

}  // namespace vtx::crash
