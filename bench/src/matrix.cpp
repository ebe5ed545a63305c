/* SPDX-License-Identifier: MPL-2.0 */
//
// The same work of every embedded store, by the size of the messages and by the number of driver instances at work; beside a plain file
// and the bridge without a store. bench/plot draws it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cases.hpp"
#include "node.hpp"
#include "raw_file.hpp"
#include "runs.hpp"

namespace vtx::bench {
namespace {

constexpr auto kRate = "messages/s";
constexpr std::array<std::size_t, 4> kSizes{16, 100, 1024, 64 * 1024};
constexpr std::uint64_t kMostBytes = 256;  // of a run, for each message that is asked for: large ones are fewer
constexpr std::array<std::uint64_t, 3> kInstances{1, 2, 4};

struct Store {
  const char* scheme;
  const char* name;
};
constexpr std::array kStores{
#ifdef VTX_BENCH_ROCKSDB
    Store{"rocksdb", "RocksDB"},
#endif
    Store{"sqlite", "SQLite"}};

std::string bytes_in_words(std::uint64_t bytes) {
  return bytes < 1024 ? fmt::format("{} B", bytes) : fmt::format("{} KiB", bytes / 1024);
}

std::string name_of(const Point& point) {
  return fmt::format("{}{}: {}, {}", bytes_in_words(point.size_bytes),
                     point.instances > 1 ? fmt::format(" x{}", point.instances) : "", point.store, point.work);
}

/// Adds what a round measured at this point to what earlier rounds did.
void note(std::vector<Series>& series, const Point& point, const Run& run) {
  auto at = std::ranges::find(series, point, &Series::point);
  if (at == series.end()) {
    series.push_back({name_of(point), {}, {}});
    at = std::prev(series.end());
    at->point = point;
  }
  at->values.push_back(static_cast<double>(point.messages) / run.seconds);
  const auto rounds = static_cast<double>(at->values.size());
  if (run.batch > 0) at->batch = (at->batch.value_or(0) * (rounds - 1) + run.batch) / rounds;
}

Options of_size(std::size_t size, const Options& options) {
  Options sized = options;
  sized.size = size;
  sized.messages = std::clamp<std::uint64_t>(options.messages * kMostBytes / size, 1, options.messages);
  return sized;
}

void measure_size(Arena& arena, const Options& options, std::vector<Series>& series) {
  const auto add = [&](const char* store, const char* work, const Run& run) {
    note(series, {store, work, options.size, 1, options.messages}, run);
  };
  std::uint64_t batch = 1;
  for (const Store& store : kStores) {
    const std::string kept = endpoint_of(arena.fresh(), "forever", store.scheme);
    const Run sent = time_enqueue({kept}, options);
    batch = std::max(batch, whole_batch(sent));
    add(store.name, "enqueue", sent);
    open_once(kept, options);
    add(store.name, "replay", {time_replay(kept, options), 0});
    add(store.name, "backlog", time_backlog(kept, options));
    add(store.name, "both", time_both_ways({endpoint_of(arena.fresh(), "consumed", store.scheme)}, options));
  }
  add("raw file", "enqueue", {time_append<RawFile>(arena.fresh(), batch, options), static_cast<double>(batch)});
  add("inproc", "both", {time_hops(options), 0});
}

void measure_instances(Arena& arena, const Store& store, std::uint64_t count, const Options& options,
                       std::vector<Series>& series) {
  Options each = options;
  each.messages = std::max<std::uint64_t>(options.messages / count, 1);
  const auto databases = [&](const char* retain) {
    std::vector<std::string> endpoints{endpoint_of(arena.fresh(), retain, store.scheme)};
    while (endpoints.size() < count) endpoints.push_back(endpoint_of(arena.another(), retain, store.scheme));
    return endpoints;
  };
  const auto add = [&](const char* work, const Run& run) {
    note(series, {store.name, work, options.size, count, count * each.messages}, run);
  };
  add("enqueue", time_enqueue(databases("forever"), each));
  add("both", time_both_ways(databases("consumed"), each));
}

}  // namespace

Case sizes(const Options& options) {
  Arena arena(options.directory);
  std::vector<Series> series;
  for (std::size_t round = 0; round < options.rounds; ++round)
    for (const std::size_t size : kSizes) measure_size(arena, of_size(size, options), series);
  return {"sizes",
          "by size: enqueue; replay and backlog of what was kept; both at once, what is consumed is removed; the plain "
          "file has the largest of the stores' batches",
          kRate, std::move(series)};
}

Case instances(const Options& options) {
  Arena arena(options.directory);
  std::vector<Series> series;
  for (std::size_t round = 0; round < options.rounds; ++round)
    for (const Store& store : kStores)
      for (const std::uint64_t count : kInstances) measure_instances(arena, store, count, options, series);
  return {"instances", "one, two and four driver instances at once, a database each; all together", kRate,
          std::move(series)};
}

}  // namespace vtx::bench
