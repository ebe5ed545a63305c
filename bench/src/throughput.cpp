/* SPDX-License-Identifier: MPL-2.0 */
//
// Messages a second, VTX and the raw loop in turn, so that what else the machine does meets both. Each run has a database of its own.
#include <array>
#include <functional>

#include "cases.hpp"
#include "node.hpp"
#include "raw.hpp"
#include "relay.hpp"
#include "worker.hpp"

namespace vtx::bench {
namespace {

struct Run {
  double seconds;
  double batch;  ///< messages a commit, or a claim
};
using RunVtx = std::function<Run(const std::string& path)>;
/// One batch: from begin() to commit().
using RawBatch = std::function<void(Raw&, std::uint64_t count)>;
/// What the raw loop may do in place of VTX, under a name.
struct RawLoop {
  std::string name;
  RawBatch batch;
  std::optional<double> target;
};

constexpr std::array<std::uint64_t, 6> kBatches{250, 1000, 2000, 4000, 16'000, 64'000};

Worker sender(void* socket, const Options& options) {
  return Worker([socket, &options] { send_numbered(socket, options.messages, options.size); });
}

double ratio_of(std::uint64_t of, std::uint64_t by) {
  return by == 0 ? 0 : static_cast<double>(of) / static_cast<double>(by);
}

Run vtx_enqueue(const std::string& path, const Options& options) {
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, endpoint_of(path, "forever"));
  const auto start = Clock::now();
  Worker sending = sender(push, options);
  sending.join();
  node.flush(push);
  const double seconds = seconds_since(start);
  const auto stats = node.stats(push);
  return {seconds, ratio_of(stats.durable, stats.commits)};
}

Run vtx_both_ways(const std::string& path, const std::string& retain, const Options& options) {
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, endpoint_of(path, retain));
  void* pull = node.open(ZMQ_PULL, endpoint_of(path, retain));
  const auto start = Clock::now();
  Worker sending = sender(push, options);
  receive_numbered(pull, options.messages);
  sending.join();
  node.flush(push);
  const double seconds = seconds_since(start);
  const auto stats = node.stats(push);
  return {seconds, ratio_of(stats.durable, stats.commits)};
}

Run vtx_backlog(const std::string& path, const Options& options) {
  {
    Raw raw(path, "forever", options.size);
    for (std::uint64_t left = options.messages; left > 0;) {
      const std::uint64_t count = std::min<std::uint64_t>(left, 10'000);
      raw.begin();
      raw.insert(count);
      raw.commit();
      left -= count;
    }
  }
  Node node(options.hwm);
  const auto start = Clock::now();
  void* pull = node.open(ZMQ_PULL, endpoint_of(path, "forever"));
  receive_numbered(pull, options.messages);
  const double seconds = seconds_since(start);
  const auto stats = node.stats(pull);
  return {seconds, ratio_of(stats.delivered, stats.claims)};
}

double run_raw(Raw& raw, const RawBatch& batch, std::uint64_t messages, std::uint64_t size) {
  const auto start = Clock::now();
  for (std::uint64_t left = messages; left > 0;) {
    const std::uint64_t count = std::min(left, size);
    raw.begin();
    batch(raw, count);
    raw.commit();
    left -= count;
  }
  return seconds_since(start);
}

/// Runs a raw loop on a database of its own; `prepare` is not counted.
using RunRaw =
    std::function<double(const std::string& path, const RawBatch& batch, std::uint64_t messages, std::uint64_t size)>;

std::uint64_t best_batch(Arena& arena, const RunRaw& run, const RawBatch& batch, const Options& options) {
  const std::uint64_t messages = std::max<std::uint64_t>(options.messages / 4, 1);
  std::uint64_t best = kBatches.front();
  double least = 0;
  for (const std::uint64_t size : kBatches) {
    const double seconds = run(arena.fresh(), batch, messages, size);
    if (least != 0 && seconds >= least) continue;
    least = seconds;
    best = size;
  }
  return best;
}

/// VTX, then each raw loop with the batch size that VTX had, then the first of them with its best one; and again.
Case compare(Case result, const Options& options, const RunVtx& run_vtx, const RunRaw& raw,
             const std::vector<RawLoop>& loops) {
  Arena arena(options.directory);
  const double messages = static_cast<double>(options.messages);
  const std::uint64_t best = best_batch(arena, raw, loops.front().batch, options);
  Series vtx{"VTX", {}, 0};
  std::vector<Series> others;
  for (const RawLoop& loop : loops) others.push_back({loop.name, {}, 0, {}, loop.target});
  others.push_back({loops.front().name + ", best batch", {}, static_cast<double>(best)});
  for (std::size_t round = 0; round < options.rounds; ++round) {
    const Run run = run_vtx(arena.fresh());
    vtx.values.push_back(messages / run.seconds);
    vtx.batch = *vtx.batch + run.batch / static_cast<double>(options.rounds);
    const auto batch = std::max<std::uint64_t>(static_cast<std::uint64_t>(run.batch), 1);
    for (std::size_t i = 0; i < others.size(); ++i) {
      const bool last = i == loops.size();
      const double seconds = raw(arena.fresh(), loops[last ? 0 : i].batch, options.messages, last ? best : batch);
      others[i].values.push_back(messages / seconds);
      others[i].ratios.push_back(seconds / run.seconds);
    }
  }
  for (std::size_t i = 0; i < loops.size(); ++i) others[i].batch = vtx.batch;
  result.series.push_back(std::move(vtx));
  result.series.insert(result.series.end(), others.begin(), others.end());
  return result;
}

RunRaw raw_on(const std::string& retain, std::size_t message_size) {
  return [retain, message_size](const std::string& path, const RawBatch& batch, std::uint64_t messages,
                                std::uint64_t size) {
    Raw raw(path, retain, message_size);
    return run_raw(raw, batch, messages, size);
  };
}

void insert_and_read(Raw& raw, std::uint64_t count) {
  raw.insert(count);
  raw.read(count);
  raw.advance();
}

void insert_read_and_remove(Raw& raw, std::uint64_t count) {
  insert_and_read(raw, count);
  raw.remove();
}

void read_on(Raw& raw, std::uint64_t count) {
  raw.read(count);
  raw.advance();
}

constexpr auto kRate = "messages/s";

}  // namespace

Case enqueue(const Options& options) {
  return compare({"enqueue", "from the first send until flushed", kRate, {}}, options,
                 [&](const std::string& path) { return vtx_enqueue(path, options); }, raw_on("forever", options.size),
                 {{"raw insert", [](Raw& raw, std::uint64_t count) { raw.insert(count); }, 0.7}});
}

Case both_ways_forever(const Options& options) {
  return compare({"both-forever", "enqueue and consume at once, everything kept", kRate, {}}, options,
                 [&](const std::string& path) { return vtx_both_ways(path, "forever", options); },
                 raw_on("forever", options.size), {{"raw insert, read, cursor", insert_and_read, 0.5}});
}

Case both_ways_consumed(const Options& options) {
  return compare({"both-consumed", "enqueue and consume at once, what is consumed is removed", kRate, {}}, options,
                 [&](const std::string& path) { return vtx_both_ways(path, "consumed", options); },
                 raw_on("consumed", options.size),
                 {{"raw insert, read, cursor, delete", insert_read_and_remove, 0.5},
                  {"raw insert, read, cursor", insert_and_read, {}}});
}

Case backlog(const Options& options) {
  const RunRaw raw = [&](const std::string& path, const RawBatch& batch, std::uint64_t messages, std::uint64_t size) {
    Raw store(path, "forever", options.size);
    run_raw(
        store, [](Raw& to, std::uint64_t count) { to.insert(count); }, messages, 10'000);
    store.set_sync(false);  // as claims and settlements
    return run_raw(store, batch, messages, size);
  };
  return compare({"backlog", "consume what had been stored before", kRate, {}}, options,
                 [&](const std::string& path) { return vtx_backlog(path, options); }, raw,
                 {{"raw read, cursor", read_on, {}}});
}

Case inproc(const Options& options) {
  Series rate{"two hops, no store", {}, {}};
  for (std::size_t round = 0; round < options.rounds; ++round) {
    Relay relay(options.hwm);
    const auto start = Clock::now();
    Worker sending = sender(relay.push(), options);
    receive_numbered(relay.pull(), options.messages);
    sending.join();
    rate.values.push_back(static_cast<double>(options.messages) / seconds_since(start));
  }
  return {"inproc", "the ceiling: PUSH, a thread that hands on, PULL", kRate, {std::move(rate)}};
}

}  // namespace vtx::bench
