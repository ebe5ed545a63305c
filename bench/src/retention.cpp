/* SPDX-License-Identifier: MPL-2.0 */
//
// How late retention is while messages flow and a group takes none: for how long the oldest message that still lies there ought to have
// been gone, looked at every two milliseconds from outside. Once with a sender that sends a thousand a second, once with one that sends as fast as it can.
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>

#include "cases.hpp"
#include "node.hpp"
#include "worker.hpp"

namespace vtx::bench {
namespace {

using std::chrono::milliseconds;

constexpr auto kPause = milliseconds(2);
constexpr std::uint64_t kBurst = 10;
constexpr auto kBurstEach = milliseconds(10);
constexpr std::uint64_t kKept = 1000;

struct Kind {
  std::string name;
  std::string retain;
  std::string
      due;  ///< SQL: since when the oldest message ought to be gone, in ms of the wall's clock; NULL when it need not be
};

class Look {
 public:
  Look(const std::string& path, const std::string& due) {
    sqlite3* opened = nullptr;
    if (sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr) != SQLITE_OK)
      throw Failure("cannot open " + path);
    database_.reset(opened);
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(opened, due.c_str(), -1, &prepared, nullptr) != SQLITE_OK)
      throw Failure(sqlite3_errmsg(opened));
    due_.reset(prepared);
  }
  /// Microseconds by which the oldest message is overdue.
  double late() {
    double late = 0;
    if (sqlite3_step(due_.get()) == SQLITE_ROW && sqlite3_column_type(due_.get(), 0) != SQLITE_NULL) {
      const auto now = std::chrono::system_clock::now().time_since_epoch();
      const milliseconds due(sqlite3_column_int64(due_.get(), 0));
      late = std::chrono::duration<double, std::micro>(now - due).count();
    }
    sqlite3_reset(due_.get());
    return std::max(0.0, late);
  }

 private:
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database_{nullptr, &sqlite3_close};
  std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> due_{nullptr, &sqlite3_finalize};
};

/// The looks, and the latest of them.
std::array<Series, 2> measure(const Options& options, const Kind& kind, bool paced) {
  Arena arena(options.directory);
  const std::string path = arena.fresh();
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, endpoint_of(path, kind.retain));
  node.open(ZMQ_PULL, endpoint_of(path, kind.retain));  // never reads
  Look look(path, kind.due);
  std::atomic<bool> enough = false;
  Worker sending([&] {
    for (std::uint64_t sent = 0; !enough; sent += kBurst) {
      send_numbered(push, kBurst, options.size, sent);
      if (paced) std::this_thread::sleep_for(kBurstEach);
    }
  });
  Series series{fmt::format("{}, {}", kind.name, paced ? "1,000 a second" : "as fast as it goes"), {}, {}};
  for (std::uint64_t i = 0; i < options.singles; ++i) {
    std::this_thread::sleep_for(kPause);
    series.values.push_back(look.late());
  }
  enough = true;
  sending.join();
  return {series, {"  the latest", {quantile(series.values, 1)}, {}}};
}

}  // namespace

Case retention(const Options& options) {
  const std::string pushed_out =
      fmt::format("SELECT stored FROM vtx_message WHERE id = (SELECT min(id) FROM vtx_message) + {}", kKept);
  const std::array kinds{
      Kind{"age", "1s", "SELECT stored + 1000 FROM vtx_message ORDER BY id LIMIT 1"},
      Kind{"count", fmt::format("{}", kKept), pushed_out},
      Kind{"size", fmt::format("{}B", kKept * options.size), pushed_out},
  };
  Case result{
      "retention", "how long the oldest message is overdue while others come (asked: under 1000000 us)", "us", {}};
  for (const Kind& kind : kinds)
    for (const bool paced : {true, false})
      for (Series& series : measure(options, kind, paced)) result.series.push_back(std::move(series));
  return result;
}

}  // namespace vtx::bench
