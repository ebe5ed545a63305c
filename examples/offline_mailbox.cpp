/* SPDX-License-Identifier: MPL-2.0 */
//
// An offline mailbox: a van is out of reach for hours, and its office writes to it all the same. A peer with a routing id is known for ever
// once it has attached; what a ROUTER sends to it waits in its mailbox. The two usually are two programs on one machine.
#include <vtx/drivers/sqlite.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>
#include <vtx/vtx.hpp>

namespace {

const std::string kFleet = "sqlite:fleet.db?queue=fleet";

struct Program {
  zmq::context_t context;
  vtx::instance vtx{context};
  Program() { vtx.add_driver("sqlite", vtx_sqlite_driver); }
};

vtx::socket van(Program& program) {
  vtx::socket dealer(program.vtx, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::routing_id, "van-3");
  dealer.set(zmq::sockopt::rcvtimeo, 10'000);
  dealer.connect(kFleet);
  return dealer;
}

bool sign_in() {
  Program program;
  vtx::socket dealer = van(program);
  dealer.send(zmq::buffer(std::string_view("hello")), zmq::send_flags::none);
  return program.vtx.flush(dealer);
}

bool give_orders(const std::vector<std::string>& orders) {
  Program program;
  vtx::socket router(program.vtx, zmq::socket_type::router);
  router.set(zmq::sockopt::router_mandatory, true);  // an unknown van is an error, not silence
  router.set(zmq::sockopt::rcvtimeo, 10'000);
  router.bind(kFleet);
  zmq::message_t from, text;
  if (!router.recv(from) || !router.recv(text)) return false;
  std::printf("office  hears '%s' from %s\n", text.to_string().c_str(), from.to_string().c_str());
  for (const std::string& order : orders) {
    router.send(zmq::buffer(from.to_string()), zmq::send_flags::sndmore);
    router.send(zmq::buffer(order), zmq::send_flags::none);
  }
  return program.vtx.flush(router);
}

bool read_orders(const std::vector<std::string>& orders) {
  Program program;
  vtx::socket dealer = van(program);
  for (const std::string& order : orders) {
    auto message = vtx::receive(dealer);
    if (!message || message->message().to_string() != order) return false;
    message->ack();
    std::printf("van-3   reads '%s'\n", order.c_str());
  }
  return true;
}

}  // namespace

int main() {
  std::filesystem::remove("fleet.db");
  const std::vector<std::string> orders{"fetch the parcel", "mind the bridge", "come home"};
  // Each of these is over before the next begins: they never meet.
  return sign_in() && give_orders(orders) && read_orders(orders) ? 0 : 1;
}
