/* SPDX-License-Identifier: MPL-2.0 */
//
// A C++ program on VTX with one driver, named by the program: push_pull_cpp ENDPOINT. It links vtx::sqlite and nothing else.
#include <vtx/drivers/sqlite.h>
#include <vtx/vtx.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

void check(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "%s: %s (%s)\n", what, vtx_last_error(), zmq_strerror(zmq_errno()));
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  void* context = zmq_ctx_new();
  vtx_t* vtx = vtx_new(context);
  check(vtx != nullptr, "vtx_new");
  check(vtx_register(vtx, "sqlite", vtx_sqlite_driver) == 0, "vtx_register");

  void* push = vtx_socket(vtx, ZMQ_PUSH);
  check(vtx_connect(vtx, push, argv[1]) == 0, "vtx_connect PUSH");
  const std::string sent = "from C++";
  check(zmq_send(push, sent.data(), sent.size(), 0) >= 0, "zmq_send");
  check(vtx_close(vtx, push) == 0, "vtx_close");

  void* pull = vtx_socket(vtx, ZMQ_PULL);
  const int patience_ms = 20000;
  zmq_setsockopt(pull, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
  check(vtx_connect(vtx, pull, argv[1]) == 0, "vtx_connect PULL");
  std::string received(100, '\0');
  const int size = zmq_recv(pull, received.data(), received.size(), 0);
  check(size >= 0, "zmq_recv");
  received.resize(static_cast<std::size_t>(size));
  check(received == sent, "what came is not what was sent");
  check(vtx_close(vtx, pull) == 0, "vtx_close");

  vtx_destroy(&vtx);
  zmq_ctx_term(context);
  std::printf("%s: one message there and back\n", argv[1]);
}
