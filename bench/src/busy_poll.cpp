/* SPDX-License-Identifier: MPL-2.0 */
//
// What a driver thread that looks for a moment before it sleeps saves, and what it costs: a thousand messages a second. Not synced, since the
// wake-ups are the question.
#include <ctime>

#include "cases.hpp"
#include "node.hpp"
#include "steady.hpp"

namespace vtx::bench {
namespace {

constexpr std::uint64_t kRate = 1000;

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Series with_moment(const std::string& moment, const std::string& path, const Options& options) {
  const double before = processor_seconds();
  const auto begin = Clock::now();
  Series series{"busy_poll=" + moment, {}, {}};
  const std::string endpoint = endpoint_of(path, "consumed") + "&busy_poll=" + moment;
  series.values = at_steady_pace(kRate, endpoint, "&durability=async", options).since_sent;
  const double share = (processor_seconds() - before) / seconds_since(begin);
  series.name += ", " + std::to_string(static_cast<int>(100 * share)) + " % of a processor";
  return series;
}

}  // namespace

Case busy_poll(const Options& options) {
  Arena arena(options.directory);
  Case result{"busy-poll", "1,000 messages a second, from send to receive, durability=async", "us", {}};
  for (const std::string moment : {"none", "20us", "100us", "1ms", "10ms"})
    result.series.push_back(with_moment(moment, arena.fresh(), options));
  return result;
}

}  // namespace vtx::bench
