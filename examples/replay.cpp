/* SPDX-License-Identifier: MPL-2.0 */
//
// A log: what is published stays for a week, and a subscriber that comes late reads it from the beginning and then goes over to what is live,
// without a gap or a repeat. A named subscription goes on where it was.
#include <vtx/drivers/sqlite.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vtx/vtx.hpp>

namespace {

const std::string kLog = "sqlite:ticks.db?queue=ticks";

/// Receives `count` messages and says what came.
bool read(zmq::socket_ref socket, const char* who, int count) {
  for (int i = 0; i < count; ++i) {
    zmq::message_t tick;
    if (!socket.recv(tick)) return false;
    std::printf("%-8s %s\n", who, tick.to_string().c_str());
  }
  return true;
}

}  // namespace

int main() {
  std::filesystem::remove("ticks.db");
  zmq::context_t context;
  vtx::instance vtx(context);
  vtx.add_driver("sqlite", vtx_sqlite_driver);

  vtx::socket pub(vtx, zmq::socket_type::pub);
  pub.bind(kLog + "&retain=7d");
  const auto publish = [&](const std::string& tick) { pub.send(zmq::buffer(tick), zmq::send_flags::none); };
  for (int i = 1; i <= 3; ++i) publish("EUR " + std::to_string(i));
  publish("USD 1");
  vtx.flush(pub);

  vtx::socket late(vtx, zmq::socket_type::sub);
  late.set(zmq::sockopt::subscribe, "EUR");
  late.set(zmq::sockopt::rcvtimeo, 10'000);
  late.connect(kLog + "&from=oldest");
  bool good = read(late, "history", 3);
  publish("EUR 4");
  good = good && read(late, "live", 1);

  for (const char* visit : {"first", "second"}) {
    vtx::socket durable(vtx, zmq::socket_type::sub);
    durable.set(zmq::sockopt::subscribe, "");
    durable.set(zmq::sockopt::rcvtimeo, 10'000);
    durable.connect(kLog + "&subscription=audit&from=oldest");
    good = good && read(durable, visit, visit[0] == 'f' ? 5 : 1);
    if (visit[0] == 'f') publish("EUR 5");  // while nobody listens
  }
  return good ? 0 : 1;
}
