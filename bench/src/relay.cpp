/* SPDX-License-Identifier: MPL-2.0 */
#include "relay.hpp"

#include "arena.hpp"

namespace vtx::bench {
namespace {

void* socket_of(void* context, int type, int hwm) {
  void* socket = zmq_socket(context, type);
  zmq_setsockopt(socket, ZMQ_SNDHWM, &hwm, sizeof hwm);
  zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
  return socket;
}

}  // namespace

// As the bridge: the relay's own marks are 1, since inproc adds both sides'.
Relay::Relay(int hwm)
    : context_(zmq_ctx_new()),
      push_(socket_of(context_, ZMQ_PUSH, hwm)),
      dealer_(socket_of(context_, ZMQ_DEALER, 1)),
      onward_(socket_of(context_, ZMQ_PUSH, 1)),
      pull_(socket_of(context_, ZMQ_PULL, hwm)) {
  if (zmq_bind(dealer_, "inproc://in") != 0 || zmq_connect(push_, "inproc://in") != 0 ||
      zmq_bind(onward_, "inproc://out") != 0 || zmq_connect(pull_, "inproc://out") != 0)
    throw Failure(std::string("relay: ") + zmq_strerror(zmq_errno()));
  thread_ = std::thread([this] { run(); });
}

void Relay::run() {
  zmq_msg_t message;
  zmq_msg_init(&message);
  while (zmq_msg_recv(&message, dealer_, 0) > 0) {
    if (zmq_msg_send(&message, onward_, 0) < 0) break;
  }
  zmq_msg_close(&message);
}

Relay::~Relay() {
  zmq_send(push_, nullptr, 0, 0);  // an empty message ends the thread
  thread_.join();
  for (void* socket : {push_, dealer_, onward_, pull_}) zmq_close(socket);
  zmq_ctx_term(context_);
}

// As the bridge here, too.
Hop::Hop(int hwm)
    : context_(zmq_ctx_new()), push_(socket_of(context_, ZMQ_PUSH, 1)), pull_(socket_of(context_, ZMQ_PULL, hwm)) {
  if (zmq_bind(push_, "inproc://hop") != 0 || zmq_connect(pull_, "inproc://hop") != 0)
    throw Failure(std::string("hop: ") + zmq_strerror(zmq_errno()));
}

Hop::~Hop() {
  for (void* socket : {push_, pull_}) zmq_close(socket);
  zmq_ctx_term(context_);
}

}  // namespace vtx::bench
