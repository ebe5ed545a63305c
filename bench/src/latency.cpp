/* SPDX-License-Identifier: MPL-2.0 */
//
// One durable message at a time from PUSH to PULL, and what it cannot do without: a commit of one row that waits for the disk,
// reading that row, and two hops between threads. Measured in turn, message by message: a disk's pace changes by the second.
#include "cases.hpp"
#include "node.hpp"
#include "raw.hpp"
#include "relay.hpp"

namespace vtx::bench {
namespace {

double microseconds_since(Clock::time_point start) { return 1e6 * seconds_since(start); }

double round_trip(void* push, void* pull, std::string& body) {
  const auto start = Clock::now();
  zmq_send(push, body.data(), body.size(), 0);
  zmq_recv(pull, body.data(), body.size(), 0);
  return microseconds_since(start);
}

double commit_and_read(Raw& raw) {
  const auto start = Clock::now();
  raw.begin();
  raw.insert(1);
  raw.commit();
  raw.read(1);
  return microseconds_since(start);
}

}  // namespace

Case latency(const Options& options) {
  Arena arena(options.directory);
  const std::string path = arena.fresh();
  Raw raw(arena.another(), "consumed", options.size);
  Relay relay(options.hwm);
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, endpoint_of(path, "consumed"));
  void* pull = node.open(ZMQ_PULL, endpoint_of(path, "consumed"));
  std::string body(options.size, 'x');
  Series vtx{"VTX, PUSH to PULL", {}, {}};
  Series commit{"raw commit of one row, and read", {}, {}};
  Series hops{"two inproc hops", {}, {}};
  Series sum{"raw and hops together", {}, {}};
  sum.target = 2.0;
  for (std::uint64_t i = 0; i < options.singles; ++i) {
    vtx.values.push_back(round_trip(push, pull, body));
    commit.values.push_back(commit_and_read(raw));
    hops.values.push_back(round_trip(relay.push(), relay.pull(), body));
    sum.values.push_back(commit.values.back() + hops.values.back());
  }
  sum.ratios = {median(vtx.values) / median(sum.values)};
  return {"latency", "one durable message at a time in one process", "us", {vtx, sum, commit, hops}};
}

}  // namespace vtx::bench
