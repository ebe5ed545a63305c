/* SPDX-License-Identifier: MPL-2.0 */
#include "node.hpp"

#ifdef VTX_BENCH_POSTGRES
#include <vtx/drivers/postgres.h>
#endif
#ifdef VTX_BENCH_ROCKSDB
#include <vtx/drivers/rocksdb.h>
#endif
#include <vtx/drivers/sqlite.h>

#include <algorithm>
#include <cstring>

#include "arena.hpp"

namespace vtx::bench {
namespace {

void check(int result, const char* what) {
  if (result < 0) throw Failure(std::string(what) + ": " + vtx_last_error());
}

void check_zmq(int result, const char* what) {
  if (result < 0) throw Failure(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

}  // namespace

Node::Node(int hwm) : hwm_(hwm), context_(zmq_ctx_new()), vtx_(vtx_new(context_)) {
  if (vtx_ == nullptr) throw Failure(std::string("vtx_new: ") + vtx_last_error());
  check(vtx_register(vtx_, "sqlite", vtx_sqlite_driver), "vtx_register");
#ifdef VTX_BENCH_ROCKSDB
  check(vtx_register(vtx_, "rocksdb", vtx_rocksdb_driver), "vtx_register");
#endif
#ifdef VTX_BENCH_POSTGRES
  for (const char* scheme : {"postgres", "postgresql"})
    check(vtx_register(vtx_, scheme, vtx_postgres_driver), "vtx_register");
#endif
}

Node::~Node() {
  for (void* socket : sockets_) (void)vtx_close(vtx_, socket);
  (void)vtx_destroy(&vtx_);
  (void)zmq_ctx_term(context_);
}

void* Node::open(int type, const std::string& endpoint) {
  void* socket = vtx_socket(vtx_, type);
  if (socket == nullptr) throw Failure(std::string("vtx_socket: ") + vtx_last_error());
  sockets_.push_back(socket);
  check_zmq(zmq_setsockopt(socket, ZMQ_SNDHWM, &hwm_, sizeof hwm_), "ZMQ_SNDHWM");
  check_zmq(zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm_, sizeof hwm_), "ZMQ_RCVHWM");
  if (type == ZMQ_SUB) check_zmq(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0), "ZMQ_SUBSCRIBE");
  check(vtx_bind(vtx_, socket, endpoint.c_str()), "vtx_bind");
  return socket;
}

void Node::close(void* socket) {
  std::erase(sockets_, socket);
  check(vtx_close(vtx_, socket), "vtx_close");
}

void Node::flush(void* socket) { check(vtx_flush(vtx_, socket, -1), "vtx_flush"); }

vtx_stats_t Node::stats(void* socket) {
  vtx_stats_t stats{};
  stats.struct_size = sizeof stats;
  check(vtx_stats(vtx_, socket, nullptr, &stats), "vtx_stats");
  return stats;
}

std::string endpoint_of(const std::string& path, const std::string& retain, const std::string& scheme) {
  return scheme + ":" + path + "?queue=bench&retain=" + retain;
}

void send_numbered(void* socket, std::uint64_t count, std::size_t size, std::uint64_t first) {
  std::string body(size, 'x');
  for (std::uint64_t number = first; number < first + count; ++number) {
    std::memcpy(body.data(), &number, sizeof number);
    check_zmq(zmq_send(socket, body.data(), body.size(), 0), "zmq_send");
  }
}

void receive_numbered(void* socket, std::uint64_t count, std::uint64_t first) {
  zmq_msg_t message;
  zmq_msg_init(&message);
  for (std::uint64_t expected = first; expected < first + count; ++expected) {
    check_zmq(zmq_msg_recv(&message, socket, 0), "zmq_msg_recv");
    std::uint64_t number = 0;
    std::memcpy(&number, zmq_msg_data(&message), std::min(sizeof number, zmq_msg_size(&message)));
    if (number != expected)
      throw Failure("message " + std::to_string(number) + " came where " + std::to_string(expected) + " was due");
  }
  zmq_msg_close(&message);
}

}  // namespace vtx::bench
