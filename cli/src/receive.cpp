/* SPDX-License-Identifier: MPL-2.0 */
//
// See receive.hpp.
#include "receive.hpp"

#include "failure.hpp"

namespace vtx::cli {

bool receive(Link& link, bool properties, Message& message) {
  message.clear();
  do {
    zmq::message_t& frame = message.frames.emplace_back();
    if (zmq_msg_recv(frame.handle(), link.socket(), ZMQ_DONTWAIT) < 0) {
      if (zmq_errno() == EAGAIN || zmq_errno() == EINTR) return false;
      throw Failure(link.endpoint() + ": " + zmq_strerror(zmq_errno()));
    }
  } while (message.frames.back().more());
  if (properties && message.frames.size() > 1) {
    message.properties = std::move(message.frames.back());
    message.frames.pop_back();
  }
  return true;
}

}  // namespace vtx::cli
