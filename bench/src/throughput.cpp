/* SPDX-License-Identifier: MPL-2.0 */
//
// Messages a second, VTX and the raw loop in turn, so that what else the machine does meets both. Each run has a database of its own.
#include <array>
#include <functional>

#include "cases.hpp"
#include "node.hpp"
#include "raw.hpp"
#include "runs.hpp"

namespace vtx::bench {
namespace {

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

double run_raw(Raw& raw, const RawBatch& batch, std::uint64_t messages, std::uint64_t size) {
  return time_batches(messages, size, [&](std::uint64_t count) {
    raw.begin();
    batch(raw, count);
    raw.commit();
  });
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
    const std::uint64_t batch = whole_batch(run);
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
                 [&](const std::string& path) { return time_enqueue({endpoint_of(path, "forever")}, options); },
                 raw_on("forever", options.size),
                 {{"raw insert", [](Raw& raw, std::uint64_t count) { raw.insert(count); }, 0.8}});
}

Case both_ways_forever(const Options& options) {
  return compare({"both-forever", "enqueue and consume at once, everything kept", kRate, {}}, options,
                 [&](const std::string& path) { return time_both_ways({endpoint_of(path, "forever")}, options); },
                 raw_on("forever", options.size), {{"raw insert, read, cursor", insert_and_read, 0.6}});
}

Case both_ways_consumed(const Options& options) {
  return compare({"both-consumed", "enqueue and consume at once, what is consumed is removed", kRate, {}}, options,
                 [&](const std::string& path) { return time_both_ways({endpoint_of(path, "consumed")}, options); },
                 raw_on("consumed", options.size),
                 {{"raw insert, read, cursor, delete", insert_read_and_remove, 0.6},
                  {"raw insert, read, cursor", insert_and_read, {}}});
}

Case backlog(const Options& options) {
  const RunRaw raw = [&](const std::string& path, const RawBatch& batch, std::uint64_t messages, std::uint64_t size) {
    write_history(path, messages, options.size);
    Raw store(path, "forever", options.size);
    store.set_sync(false);  // as claims and settlements
    return run_raw(store, batch, messages, size);
  };
  return compare({"backlog", "consume what had been stored before", kRate, {}}, options,
                 [&](const std::string& path) {
                   write_history(path, options.messages, options.size);
                   return time_backlog(endpoint_of(path, "forever"), options);
                 },
                 raw, {{"raw read, cursor", read_on, {}}});
}

Case inproc(const Options& options) {
  Series rate{"two hops, no store", {}, {}};
  for (std::size_t round = 0; round < options.rounds; ++round)
    rate.values.push_back(static_cast<double>(options.messages) / time_hops(options));
  return {"inproc", "the ceiling: PUSH, a thread that hands on, PULL", kRate, {std::move(rate)}};
}

}  // namespace vtx::bench
