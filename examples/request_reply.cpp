/* SPDX-License-Identifier: MPL-2.0 */
//
// Durable request-reply: a request waits for a worker, and is settled by its reply, in one transaction. So a worker that dies with it leaves it
// to another, and the asker never hears of that. The three usually are three programs.
#include <vtx/drivers/sqlite.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vtx/vtx.hpp>

namespace {

const std::string kQueue = "sqlite:questions.db?queue=questions";

struct Program {
  zmq::context_t context;
  vtx::instance vtx{context};
  Program() { vtx.add_driver("sqlite", vtx_sqlite_driver); }
};

vtx::socket worker(Program& program) {
  vtx::socket rep(program.vtx, zmq::socket_type::rep);
  rep.set(zmq::sockopt::rcvtimeo, 10'000);
  rep.bind(kQueue);
  return rep;
}

/// Receives a request and ends before it has answered, as if it were killed.
bool die_with_a_request() {
  Program program;
  vtx::socket rep = worker(program);
  zmq::message_t request;
  if (!rep.recv(request)) return false;
  std::printf("first worker   dies with '%s'\n", request.to_string().c_str());
  return true;
}

bool answer(int count) {
  Program program;
  vtx::socket rep = worker(program);
  for (int i = 0; i < count; ++i) {
    zmq::message_t request;
    if (!rep.recv(request)) return false;
    std::printf("second worker  answers '%s'\n", request.to_string().c_str());
    rep.send(zmq::buffer(request.to_string() + "? yes"), zmq::send_flags::none);
  }
  return program.vtx.flush(rep);
}

/// With a routing id it is one asker in all its lives: its mailbox stays. A reply to what an earlier one asked is passed over, never taken for
/// the answer.
bool ask(const std::string& question) {
  Program program;
  vtx::socket req(program.vtx, zmq::socket_type::req);
  req.set(zmq::sockopt::routing_id, "desk-1");
  req.set(zmq::sockopt::rcvtimeo, 10'000);
  req.connect(kQueue);
  req.send(zmq::buffer(question), zmq::send_flags::none);
  zmq::message_t reply;
  if (!req.recv(reply)) return false;
  std::printf("asker          is told '%s'\n", reply.to_string().c_str());
  return reply.to_string() == question + "? yes";
}

}  // namespace

int main() {
  std::filesystem::remove("questions.db");
  bool worked = false;
  std::thread workers([&] { worked = die_with_a_request() && answer(2); });
  const bool answered = ask("is it raining") && ask("is it cold");
  workers.join();
  return worked && answered ? 0 : 1;
}
