/* SPDX-License-Identifier: MPL-2.0 */
//
// The RocksDB driver against RocksDB itself, a plain file, and the bridge without a store: all in turn in one run.
#include <algorithm>
#include <thread>

#include "cases.hpp"
#include "node.hpp"
#include "raw_file.hpp"
#include "raw_rocksdb.hpp"
#include "relay.hpp"
#include "runs.hpp"
#include "steady.hpp"

namespace vtx::bench {
namespace {

constexpr auto kRate = "messages/s";

std::string rocks_at(const std::string& path, const std::string& retain) {
  return endpoint_of(path, retain, "rocksdb");
}

void note(Series& series, double messages, double seconds, double vtx_seconds) {
  series.values.push_back(messages / seconds);
  series.ratios.push_back(seconds / vtx_seconds);
}

/// One message at a time: the disk's sync, and the hops between threads that no message can do without.
void measure_floor(Arena& arena, const Options& options, Series& disk, Series& hops) {
  RawFile file(arena.another(), options.size);
  Relay relay(options.hwm);
  std::string body(options.size, 'x');
  for (std::uint64_t i = 0; i < options.singles; ++i) {
    auto start = Clock::now();
    file.sync_one();
    disk.values.push_back(1e6 * seconds_since(start));
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    start = Clock::now();
    zmq_send(relay.push(), body.data(), body.size(), 0);
    zmq_recv(relay.pull(), body.data(), body.size(), 0);
    hops.values.push_back(1e6 * seconds_since(start));
  }
}

}  // namespace

Case rocks_enqueue(const Options& options) {
  Arena arena(options.directory);
  const auto messages = static_cast<double>(options.messages);
  Series vtx{"VTX", {}, 0};
  Series raw{"raw RocksDB, same layout", {}, 0, {}, 0.75};
  Series file{"raw file, fdatasync a batch", {}, 0};
  for (std::size_t round = 0; round < options.rounds; ++round) {
    const Run run = time_enqueue({rocks_at(arena.fresh(), "forever")}, options);
    vtx.values.push_back(messages / run.seconds);
    vtx.batch = *vtx.batch + run.batch / static_cast<double>(options.rounds);
    note(raw, messages, time_append<RawRocks>(arena.fresh(), whole_batch(run), options), run.seconds);
    note(file, messages, time_append<RawFile>(arena.fresh(), whole_batch(run), options), run.seconds);
  }
  raw.batch = file.batch = vtx.batch;
  return {"rocksdb-enqueue", "RocksDB: from the first send until flushed", kRate, {vtx, raw, file}};
}

Case rocks_both(const Options& options) {
  Arena arena(options.directory);
  const auto messages = static_cast<double>(options.messages);
  Series kept{"VTX, everything kept", {}, {}}, vtx{"VTX, what is consumed is removed", {}, {}};
  Series hops{"two inproc hops, no store", {}, {}, {}, 0.3};
  const auto both = [&](const std::string& retain) {
    return time_both_ways({rocks_at(arena.fresh(), retain)}, options).seconds;
  };
  for (std::size_t round = 0; round < options.rounds; ++round) {
    kept.values.push_back(messages / both("forever"));
    const double seconds = both("consumed");
    vtx.values.push_back(messages / seconds);
    note(hops, messages, time_hops(options), seconds);
  }
  return {"rocksdb-both", "RocksDB: enqueue and consume at once", kRate, {vtx, kept, hops}};
}

Case rocks_backlog(const Options& options) {
  Arena arena(options.directory);
  const auto messages = static_cast<double>(options.messages);
  Series kept{"VTX, everything kept", {}, 0}, vtx{"VTX, what is consumed is removed", {}, 0};
  Series hops{"two inproc hops, no store", {}, {}};
  const auto take = [&](const std::string& retain, Series& series) {
    const std::string endpoint = rocks_at(arena.fresh(), retain);
    (void)time_enqueue({endpoint}, options);
    open_once(endpoint, options);
    const Run run = time_backlog(endpoint, options);
    series.values.push_back(messages / run.seconds);
    series.batch = *series.batch + run.batch / static_cast<double>(options.rounds);
    return run.seconds;
  };
  for (std::size_t round = 0; round < options.rounds; ++round) {
    take("forever", kept);
    note(hops, messages, time_hops(options), take("consumed", vtx));
  }
  return {"rocksdb-backlog", "RocksDB: consume what had been stored before", kRate, {vtx, kept, hops}};
}

Case rocks_replay(const Options& options) {
  Arena arena(options.directory);
  const auto messages = static_cast<double>(options.messages);
  const std::string endpoint = rocks_at(arena.fresh(), "forever");
  (void)time_enqueue({endpoint}, options);
  open_once(endpoint, options);
  Series vtx{"VTX, one late subscriber", {}, {}};
  Series hops{"two inproc hops, no store", {}, {}, {}, 0.5};
  for (std::size_t round = 0; round < options.rounds; ++round) {
    const double seconds = time_replay(endpoint, options);
    vtx.values.push_back(messages / seconds);
    note(hops, messages, time_hops(options), seconds);
  }
  return {"rocksdb-replay", "RocksDB: read a history from its beginning", kRate, {vtx, hops}};
}

Case rocks_rate(const Options& options) {
  Arena arena(options.directory);
  Series disk{"fdatasync of one message", {}, {}}, hops{"two inproc hops: two thread wake-ups", {}, {}};
  Series slow{"VTX, 1,000 messages a second", {}, {}}, slow_due{"likewise, since it was due", {}, {}};
  Series fast{"VTX, 20,000 messages a second", {}, {}}, fast_due{"likewise, since it was due", {}, {}};
  measure_floor(arena, options, disk, hops);
  const auto take = [&](std::uint64_t rate, Series& sent, Series& due) {
    Latencies latencies = at_steady_pace(rate, rocks_at(arena.another(), "consumed"), "", options);
    sent.values = std::move(latencies.since_sent);
    due.values = std::move(latencies.since_due);
  };
  take(1000, slow, slow_due);
  take(20'000, fast, fast_due);
  const double floor = median(disk.values) + median(hops.values);
  Series sum{"the two together, by 20,000", {floor}, {}, {median(fast.values) / floor}, 3.0};
  return {"rocksdb-rate",
          "RocksDB: from send to receipt, durability=sync",
          "us",
          {fast, sum, fast_due, slow, slow_due, disk, hops}};
}

}  // namespace vtx::bench
