/* SPDX-License-Identifier: MPL-2.0 */
//
// How soon a message sent by one process is in the hands of another that waits for it. Both read the same CLOCK_MONOTONIC. With
// durability=async, because what is asked is the wake-up and not the disk; with sync for scale; and from an application's own transaction.
#include <sqlite3.h>
#include <vtx/drivers/sqlite.h>

#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include "cases.hpp"
#include "node.hpp"
#include "receiver.hpp"

namespace vtx::bench {
namespace {

constexpr auto kPause = std::chrono::milliseconds(3);  // for the receiver to have settled the message and to wait again
constexpr std::uint64_t kWarmUp = 10;

/// A body that begins with the moment of its sending; 0 ends the receiver.
using Send = std::function<void(const std::string& body)>;

Series measure(const Options& options, const std::string& name, Receiver& receiver, const Send& send) {
  std::string body(options.size, 'x');
  const auto send_stamped = [&](std::int64_t stamp) {
    std::memcpy(body.data(), &stamp, sizeof stamp);
    send(body);
  };
  Series series{name, {}, {}};
  for (std::uint64_t i = 0; i < kWarmUp + options.singles; ++i) {
    send_stamped(nanoseconds());
    const auto taken = static_cast<double>(receiver.answer()) / 1e3;
    if (i >= kWarmUp) series.values.push_back(taken);
    std::this_thread::sleep_for(kPause);
  }
  send_stamped(0);
  receiver.wait_for_end();
  return series;
}

Series through_vtx(const Options& options, const std::string& durability) {
  Arena arena(options.directory);
  const std::string endpoint = endpoint_of(arena.fresh(), "consumed");
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, endpoint + "&durability=" + durability);
  Receiver receiver("--wakeup-receiver", endpoint);
  Series series = measure(options, "durability=" + durability, receiver,
                          [&](const std::string& body) { zmq_send(push, body.data(), body.size(), 0); });
  node.flush(push);
  return series;
}

void run_sql(sqlite3* application, const char* sql) {
  if (sqlite3_exec(application, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    throw Failure(sqlite3_errmsg(application));
}

/// An application that knows nothing of VTX but its function: in a transaction with a table of its own, on disk when COMMIT returns.
Series through_sql(const Options& options) {
  Arena arena(options.directory);
  const std::string path = arena.fresh();
  const std::string endpoint = endpoint_of(path, "consumed");
  Node(options.hwm).open(ZMQ_PUSH, endpoint);  // makes the queue
  Receiver receiver("--wakeup-receiver", endpoint);
  sqlite3* application = nullptr;
  if (sqlite3_open(path.c_str(), &application) != SQLITE_OK) throw Failure("cannot open " + path);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> owner(application, &sqlite3_close);
  run_sql(
      application,
      "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE orders (n)");
  return measure(options, "vtx_sqlite_send in a transaction, synchronous=FULL", receiver, [&](const std::string& body) {
    run_sql(application, "BEGIN IMMEDIATE; INSERT INTO orders VALUES (1)");
    const vtx_sqlite_frame_t frame{body.data(), body.size()};
    if (vtx_sqlite_send(application, "bench", &frame, 1, nullptr) != 0) throw Failure(sqlite3_errmsg(application));
    run_sql(application, "COMMIT");
  });
}

}  // namespace

Case wakeup(const Options& options) {
  return {"wakeup",
          "from a send in one process to the receipt in another that waits (asked: median under 1000 us)",
          "us",
          {through_vtx(options, "async"), through_vtx(options, "sync"), through_sql(options)}};
}

}  // namespace vtx::bench
