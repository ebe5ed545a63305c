/* SPDX-License-Identifier: MPL-2.0 */
//
// Delayed messages with random due times: how late each is in the receiver's hands, and that they come in the order of these times. When
// each is due is read from the store's own ledger once all have been sent, before the first is.
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <thread>

#include "cases.hpp"
#include "node.hpp"

namespace vtx::bench {
namespace {

std::int64_t wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void send_delayed(void* push, const Options& options) {
  std::mt19937_64 random(1);
  std::string body(options.size, 'x');
  const std::int64_t start = wall_us() / 1000;
  for (std::uint64_t number = 0; number < options.delayed; ++number) {
    const auto due = static_cast<std::int64_t>(options.lead * 1000 + random() % (options.spread * 1000));
    const std::string properties =
        fmt::format("Delay: {}ms\n", std::max<std::int64_t>(start + due - wall_us() / 1000, 1));
    std::memcpy(body.data(), &number, sizeof number);
    zmq_send(push, body.data(), body.size(), ZMQ_SNDMORE);
    zmq_send(push, properties.data(), properties.size(), 0);
  }
}

/// By the number of the message, in milliseconds.
std::vector<std::int64_t> due_times(const std::string& path, std::uint64_t count) {
  sqlite3* connection = nullptr;
  if (sqlite3_open(path.c_str(), &connection) != SQLITE_OK) throw Failure("cannot open " + path);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> owner(connection, &sqlite3_close);
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(connection, "SELECT due, body FROM vtx_delayed", -1, &prepared, nullptr) != SQLITE_OK)
    throw Failure(sqlite3_errmsg(connection));
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(prepared, &sqlite3_finalize);
  std::vector<std::int64_t> due(count, 0);
  std::uint64_t found = 0;
  for (; sqlite3_step(prepared) == SQLITE_ROW; ++found) {
    std::uint64_t number = 0;
    std::memcpy(&number, sqlite3_column_blob(prepared, 1), sizeof number);
    due.at(number) = sqlite3_column_int64(prepared, 0);
  }
  if (found != count)
    throw Failure("messages were due before all had been sent: the machine is too slow for this --lead");
  return due;
}

class BareTimer {
 public:
  BareTimer() : thread_([this] { run(); }) {}
  ~BareTimer() { stop(); }

  /// How late it was each time, in microseconds.
  std::vector<double> stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return late_;
  }

 private:
  void run() {
    for (auto due = std::chrono::steady_clock::now(); !stopping_;) {
      due += std::chrono::milliseconds(1);
      std::this_thread::sleep_until(due);
      const std::chrono::duration<double, std::micro> late = std::chrono::steady_clock::now() - due;
      late_.push_back(late.count());
    }
  }

  std::atomic<bool> stopping_ = false;
  std::vector<double> late_;
  std::thread thread_;
};

}  // namespace

Case delayed(const Options& options) {
  Arena arena(options.directory);
  const std::string path = arena.fresh();
  Node node(options.hwm);
  const std::string endpoint = endpoint_of(path, "consumed");
  void* push = node.open(ZMQ_PUSH, endpoint + "&properties=on");
  send_delayed(push, options);
  node.flush(push);
  const auto due = due_times(path, options.delayed);
  Node other(options.hwm);
  void* pull = other.open(ZMQ_PULL, endpoint);
  Series late{"after it was due", {}, {}};
  std::int64_t before = 0;
  BareTimer timer;
  std::string body(options.size, 'x');
  for (std::uint64_t i = 0; i < options.delayed; ++i) {
    if (zmq_recv(pull, body.data(), body.size(), 0) < 0) throw Failure(zmq_strerror(zmq_errno()));
    const std::int64_t now = wall_us();
    std::uint64_t number = 0;
    std::memcpy(&number, body.data(), sizeof number);
    if (due.at(number) < before) throw Failure("a message came after one that was due later");
    before = due.at(number);
    late.values.push_back(static_cast<double>(now - before * 1000));
  }
  Series latest{"the latest one", {quantile(late.values, 1)}, {}};
  Series bare{"a bare timer beside it", timer.stop(), {}};
  Series barest{"its latest one", {quantile(bare.values, 1)}, {}};
  return {"delayed",
          fmt::format("{} messages due at random within {} s, in due order (asked: none later than 50,000 us)",
                      options.delayed, options.spread),
          "us",
          {late, latest, bare, barest}};
}

}  // namespace vtx::bench
