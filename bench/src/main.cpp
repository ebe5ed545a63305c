/* SPDX-License-Identifier: MPL-2.0 */
//
// vtx_bench: what VTX costs over the loop that a program would write straight against the database. Ratios count: both sides run in
// turn on the same machine, whose absolute numbers are noise. docs/performance.md is written from it.
#include <fmt/format.h>

#include <algorithm>
#include <CLI/CLI.hpp>

#include "cases.hpp"
#include "receiver.hpp"

namespace {

using namespace vtx::bench;

struct Entry {
  const char* name;
  Case (*run)(const Options&);
  bool on_server = false;  ///< that of --postgres
};

constexpr Entry kCases[] = {{"enqueue", enqueue},
                            {"both-forever", both_ways_forever},
                            {"both-consumed", both_ways_consumed},
                            {"backlog", backlog},
                            {"replay", replay},
                            {"inproc", inproc},
                            {"latency", latency},
                            {"retention", retention},
                            {"wakeup", wakeup},
                            {"busy-poll", busy_poll},
                            {"sizes", sizes},
                            {"instances", instances},
#ifdef VTX_BENCH_ROCKSDB
                            {"rocksdb-enqueue", rocks_enqueue},
                            {"rocksdb-both", rocks_both},
                            {"rocksdb-backlog", rocks_backlog},
                            {"rocksdb-replay", rocks_replay},
                            {"rocksdb-rate", rocks_rate},
                            {"rocksdb-retired", rocks_retired},
                            {"rocksdb-memory", rocks_memory},
#endif
#ifdef VTX_BENCH_POSTGRES
                            {"pg-enqueue", pg_enqueue, true},
                            {"pg-both", pg_both, true},
                            {"pg-wakeup", pg_wakeup, true},
                            {"pg-held", pg_held, true},
#endif
                            {"delayed", delayed}};

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kCases) names.emplace_back(entry.name);
  return names;
}

bool is_asked_for(const Entry& entry, const Options& options) {
  const bool named = std::ranges::find(options.cases, entry.name) != options.cases.end();
  if (named && entry.on_server && options.postgres.empty())
    throw Failure(std::string(entry.name) + " needs a server: --postgres URI");
  return named || (options.cases.empty() && (!entry.on_server || !options.postgres.empty()));
}

void run(const Options& options) {
  Json all = Json::array();
  for (const Entry& entry : kCases) {
    if (!is_asked_for(entry, options)) continue;
    const Case result = entry.run(options);
    if (options.json)
      all.push_back(to_json(result));
    else
      print(result);
  }
  if (!options.json) return;
  const Json settings{{"messages", options.messages}, {"rounds", options.rounds}, {"singles", options.singles},
                      {"size", options.size},         {"hwm", options.hwm},       {"directory", options.directory}};
  fmt::print("{}\n", Json{{"settings", settings}, {"cases", all}}.dump(2));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.directory = std::filesystem::temp_directory_path().string();
  std::string wakeup_uri, stream_uri;
  CLI::App app("Measures VTX against the same work done straight on the database.", "vtx_bench");
  app.add_option("--messages", options.messages, "Messages of a throughput run")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Runs of each; medians are printed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--singles", options.singles, "Messages sent one at a time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--delayed", options.delayed, "Messages of the case `delayed`")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--spread", options.spread, "Seconds over which these are due")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--lead", options.lead, "Seconds before the first of them is due, in which all are sent")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--size", options.size, "Bytes of a message")->check(CLI::Range(8, 1'000'000))->capture_default_str();
  app.add_option("--hwm", options.hwm, "High-water marks of the application's sockets")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--directory", options.directory, "On the disk to measure; not a tmpfs")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--case", options.cases, "Only these")->check(CLI::IsMember(case_names()));
  app.add_flag("--json", options.json, "Print JSON");
#ifdef VTX_BENCH_POSTGRES
  app.add_option("--postgres", options.postgres,
                 "A server, as postgres://user@host/database, for the cases pg-…: they drop its schema vtx_bench");
  app.add_option("--held", options.held, "Seconds of the case `pg-held`")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
#endif
  app.add_option("--wakeup-receiver", wakeup_uri)->group("");
  app.add_option("--stream-receiver", stream_uri)->group("");
  CLI11_PARSE(app, argc, argv);
  try {
    if (!wakeup_uri.empty()) return wakeup_receiver(wakeup_uri);
    if (!stream_uri.empty()) return stream_receiver(stream_uri, options);
    run(options);
    return 0;
  } catch (const std::exception& failure) {
    fmt::print(stderr, "vtx_bench: {}\n", failure.what());
    return 1;
  }
}
