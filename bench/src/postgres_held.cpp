/* SPDX-License-Identifier: MPL-2.0 */
//
// A transaction that has read the messages stays open elsewhere, so that nothing the server would clean up is cleaned up. Does VTX grow slower or larger? The machine may,
// too: so a raw loop whose table is always new takes turns with it.
#include <fmt/format.h>

#include <array>

#include "cases.hpp"
#include "node.hpp"
#include "postgres_server.hpp"
#include "sql.hpp"
#include "worker.hpp"

namespace vtx::bench {
namespace {

constexpr std::size_t kParts = 5;
constexpr std::uint64_t kSlice = 50'000;
constexpr std::uint64_t kRawBatch = 4000;

/// All of VTX's tables with their indexes, those that only wait to be dropped as well.
double mebibytes(Sql& sql) {
  const auto result = sql.run(
      "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = 'vtx_bench'::regnamespace AND "
      "relkind = 'r' AND relname <> 'raw_message'");
  return std::stod(PQgetvalue(result.get(), 0, 0)) / (1 << 20);
}

}  // namespace

Case pg_held(const Options& options) {
  settle_server(options);
  const std::string endpoint = endpoint_on(options, "retain=consumed");
  Node sender(options.hwm), receiver(options.hwm);
  void* push = sender.open(ZMQ_PUSH, endpoint);
  void* pull = receiver.open(ZMQ_PULL, endpoint);
  std::uint64_t sent = 0;
  const auto slice = [&] {
    const auto start = Clock::now();
    Worker sending([&] { send_numbered(push, kSlice, options.size, sent); });
    receive_numbered(pull, kSlice, sent);
    sending.join();
    sent += kSlice;
    return seconds_since(start);
  };
  slice();
  Sql other(options.postgres), looking(options.postgres);
  other.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  other.run("SELECT count(*) FROM vtx_bench.message");

  std::vector<Series> series;
  Series raw{"raw insert, into an ever new table", {}, static_cast<double>(kRawBatch)};
  const auto begin = Clock::now();
  const double part_time = static_cast<double>(options.held) / kParts;
  for (std::size_t part = 0; part < kParts; ++part) {
    Series vtx{{}, {}, {}};
    double largest = 0;
    while (vtx.values.empty() || seconds_since(begin) < part_time * static_cast<double>(part + 1)) {
      const double taken = slice();
      const double plain = raw_enqueue(options, kSlice, kRawBatch);
      vtx.values.push_back(static_cast<double>(kSlice) / taken);
      raw.values.push_back(static_cast<double>(kSlice) / plain);
      vtx.ratios.push_back(plain / taken);
      largest = std::max(largest, mebibytes(looking));
    }
    vtx.name = fmt::format("VTX, fifth {}, tables up to {:.0f} MiB", part + 1, largest);
    series.push_back(std::move(vtx));
  }
  Series kept{"what is left at the end", raw.values, {}, {}, 0.8};
  kept.ratios = {median(series.back().ratios) / median(series.front().ratios)};
  series.push_back(std::move(raw));
  series.push_back(std::move(kept));
  other.run("COMMIT");
  sender.close(push);
  receiver.close(pull);
  drop_schema(options);
  return {"pg-held",
          fmt::format("Postgres: both ways for {} s ({} messages) while a transaction that has read the messages stays "
                      "open; ratios to the raw loop",
                      options.held, sent),
          "messages/s", std::move(series)};
}

}  // namespace vtx::bench
