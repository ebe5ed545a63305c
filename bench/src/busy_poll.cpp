/* SPDX-License-Identifier: MPL-2.0 */
//
// What a driver thread that looks for a moment before it sleeps saves, and what it costs: single messages a millisecond apart, which is longer than the
// shorter moments and shorter than the longest. Not synced, since the wake-ups are the question.
#include <ctime>
#include <thread>

#include "cases.hpp"
#include "node.hpp"

namespace vtx::bench {
namespace {

constexpr auto kPause = std::chrono::milliseconds(1);

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Series one_by_one(const std::string& moment, const std::string& path, const Options& options) {
  Node node(options.hwm);
  const std::string endpoint = endpoint_of(path, "consumed") + "&busy_poll=" + moment;
  void* push = node.open(ZMQ_PUSH, endpoint + "&durability=async");
  void* pull = node.open(ZMQ_PULL, endpoint);
  Series series{"busy_poll=" + moment, {}, {}};
  const double before = processor_seconds();
  const auto begin = Clock::now();
  for (std::uint64_t i = 0; i < options.singles; ++i) {
    std::this_thread::sleep_for(kPause);
    const auto start = Clock::now();
    send_numbered(push, 1, options.size, i);
    receive_numbered(pull, 1, i);
    series.values.push_back(1e6 * seconds_since(start));
  }
  const double share = (processor_seconds() - before) / seconds_since(begin);
  series.name += ", " + std::to_string(static_cast<int>(100 * share)) + " % of a processor";
  return series;
}

}  // namespace

Case busy_poll(const Options& options) {
  Arena arena(options.directory);
  Case result{"busy-poll", "one message each millisecond, from send to receive, durability=async", "us", {}};
  for (const std::string moment : {"none", "50us", "200us", "2ms"})
    result.series.push_back(one_by_one(moment, arena.fresh(), options));
  return result;
}

}  // namespace vtx::bench
