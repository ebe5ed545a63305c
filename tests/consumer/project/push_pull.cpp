/* SPDX-License-Identifier: MPL-2.0 */
//
// A C++ program on VTX with one driver, named by the program: push_pull_cpp ENDPOINT. It links vtx::sqlite and nothing else.
#include <vtx/drivers/sqlite.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vtx/vtx.hpp>

namespace {

void send_and_receive(const std::string& endpoint) {
  zmq::context_t context;
  vtx::instance vtx(context);
  vtx.add_driver("sqlite", vtx_sqlite_driver);

  vtx::socket push(vtx, zmq::socket_type::push);
  push.connect(endpoint);
  push.send(zmq::str_buffer("from C++"));
  if (!vtx.flush(push, std::chrono::seconds(20))) throw std::runtime_error("not durable in time");

  vtx::socket pull(vtx, zmq::socket_type::pull);
  pull.set(zmq::sockopt::rcvtimeo, 20000);
  pull.connect(endpoint);
  auto job = vtx::receive(pull);
  if (!job || job->message().to_string() != "from C++") throw std::runtime_error("what came is not what was sent");
  job->ack();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    send_and_receive(argv[1]);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }
  std::printf("%s: one message there and back\n", argv[1]);
}
