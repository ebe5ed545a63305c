/* SPDX-License-Identifier: MPL-2.0 */
//
// A transactional outbox: the application's own rows and the message about them are one transaction, on the application's own connection. When
// it is rolled back there is no message; when it is committed the message is as durable as the rows.
#include <sqlite3.h>
#include <vtx/drivers/sqlite.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vtx/vtx.hpp>

namespace {

const std::string kQueue = "sqlite:shop.db?queue=orders";

void run(sqlite3* shop, const std::string& sql) {
  if (sqlite3_exec(shop, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    throw std::runtime_error(sqlite3_errmsg(shop));
}

void order(sqlite3* shop, const std::string& article, bool paid) {
  run(shop, "BEGIN IMMEDIATE");
  run(shop, "INSERT INTO orders (article) VALUES ('" + article + "')");
  const vtx_sqlite_frame_t frame{article.data(), article.size()};
  // The same in plain SQL: INSERT INTO vtx_send (queue, body) VALUES ('orders', 'lamp')
  if (vtx_sqlite_send(shop, "orders", &frame, 1, "Content-Type: text/plain\n") != 0)
    throw std::runtime_error(sqlite3_errmsg(shop));
  run(shop, paid ? "COMMIT" : "ROLLBACK");
}

}  // namespace

int main() {
  std::filesystem::remove("shop.db");
  zmq::context_t context;
  vtx::instance vtx(context);
  vtx.add_driver("sqlite", vtx_sqlite_driver);
  vtx::socket pull(vtx, zmq::socket_type::pull);
  pull.set(zmq::sockopt::rcvtimeo, 10'000);
  pull.bind(kQueue);  // makes the queue; `vtx migrate` makes the tables alone

  sqlite3* shop = nullptr;
  if (sqlite3_open("shop.db", &shop) != SQLITE_OK) return 1;
  run(shop,
      "PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
      "CREATE TABLE orders (id INTEGER PRIMARY KEY, article TEXT)");
  order(shop, "lamp", true);
  order(shop, "sofa", false);
  order(shop, "chair", true);
  sqlite3_close(shop);

  for (const char* expected : {"lamp", "chair"}) {
    zmq::message_t ordered;
    if (!pull.recv(ordered) || ordered.to_string() != expected) return 1;
    std::printf("to be packed: %s\n", ordered.to_string().c_str());
  }
  return 0;
}
