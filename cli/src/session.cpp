/* SPDX-License-Identifier: MPL-2.0 */
//
// See session.hpp.
#include "session.hpp"

#include <vtx/all.h>

#include <cstring>

#include "endpoint_text.hpp"
#include "failure.hpp"
#include "report.hpp"

namespace vtx::cli {
namespace {

constexpr const char* kMonitorAddress = "inproc://vtx-cli-events-";

}  // namespace

Session::Session() {
  vtx_ = vtx_new(context_.handle());
  if (vtx_ == nullptr) throw last_failure("vtx");
  if (vtx_register_all(vtx_) != 0) throw last_failure("vtx");
}

Session::~Session() {
  signals_.release();
  vtx_destroy(&vtx_);
}

Side default_side(const std::string& endpoint, int socket_type) {
  const std::string address = endpoint.substr(0, endpoint.find('?'));
  const bool serves =
      socket_type == ZMQ_PULL || socket_type == ZMQ_REP || socket_type == ZMQ_ROUTER || socket_type == ZMQ_XPUB;
  return serves || address.find('*') != std::string::npos ? Side::bind : Side::connect;
}

Link::Link(Session& session, int socket_type, const std::string& endpoint, Side side, const SocketSetup& setup)
    : session_(session), socket_type_(socket_type), endpoint_(endpoint) {
  if (scheme_of(endpoint) == "inproc")
    throw Failure(endpoint + ": inproc joins sockets of one process, and nobody else is in this one; use ipc or tcp",
                  Exit::usage);
  socket_ = vtx_socket(session_.vtx(), socket_type);
  if (socket_ == nullptr) throw last_failure(endpoint);
  try {
    configure(setup);
    watch();
    const int rc = side == Side::bind ? vtx_bind(session_.vtx(), socket_, endpoint.c_str())
                                      : vtx_connect(session_.vtx(), socket_, endpoint.c_str());
    if (rc != 0) throw last_failure(endpoint);
  } catch (...) {
    vtx_close(session_.vtx(), socket_);
    throw;
  }
}

Link::~Link() {
  take_events();
  vtx_close(session_.vtx(), socket_);
}

void Link::configure(const SocketSetup& setup) {
  const std::string& id = setup.routing_id;
  if (!id.empty() && zmq_setsockopt(socket_, ZMQ_ROUTING_ID, id.data(), id.size()) != 0) throw last_failure(endpoint_);
  for (const auto& prefix : setup.prefixes)
    if (zmq_setsockopt(socket_, ZMQ_SUBSCRIBE, prefix.data(), prefix.size()) != 0) throw last_failure(endpoint_);
  const int mandatory = 1;  // a peer that nobody knows is an error, not silence
  if (socket_type_ == ZMQ_ROUTER && zmq_setsockopt(socket_, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof mandatory) != 0)
    throw last_failure(endpoint_);
  const int yes = 1;  // on a plain transport, too: who sends a file or a history wants all of it to arrive
  if (socket_type_ == ZMQ_XPUB && zmq_setsockopt(socket_, ZMQ_XPUB_NODROP, &yes, sizeof yes) != 0)
    throw last_failure(endpoint_);
}

void Link::watch() {
  static int count = 0;
  const std::string address = kMonitorAddress + std::to_string(++count);
  const int events = VTX_EVENT | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_LISTENING;
  if (vtx_monitor(session_.vtx(), socket_, address.c_str(), events) != 0) throw last_failure(endpoint_);
  monitor_ = zmq::socket_t(session_.context(), zmq::socket_type::pair);
  monitor_.set(zmq::sockopt::linger, 0);
  monitor_.connect(address);
}

Ready Link::wait(short events, int input, std::chrono::milliseconds timeout) {
  zmq_pollitem_t items[] = {{monitor_.handle(), 0, ZMQ_POLLIN, 0},
                            {nullptr, session_.signals().fd(), ZMQ_POLLIN, 0},
                            {socket_, 0, events, 0},
                            {nullptr, input, ZMQ_POLLIN, 0}};
  // zmq_poll knows no empty item: the descriptor, when there is none, is left off; an unwanted socket has no events.
  const int count = input >= 0 ? 4 : 3;
  if (zmq_poll(items, count, static_cast<long>(timeout.count())) < 0 && zmq_errno() != EINTR)
    throw Failure(endpoint_ + ": " + zmq_strerror(zmq_errno()));
  if (items[0].revents != 0) take_events();
  if (!failed_.empty()) throw Failure(failed_);
  Ready ready;
  ready.socket = items[2].revents != 0;
  ready.input = count == 4 && items[3].revents != 0;
  ready.stop = session_.signals().taken() != 0;
  return ready;
}

vtx_stats_t Link::stats() {
  vtx_stats_t stats{};
  stats.struct_size = sizeof stats;
  if (vtx_stats(session_.vtx(), socket_, nullptr, &stats) != 0) throw last_failure(endpoint_);
  return stats;
}

std::optional<std::uint64_t> Link::depth() {
  try {
    const auto depth = stats().depth;
    return depth == UINT64_MAX ? std::nullopt : std::optional(depth);
  } catch (const Failure&) {  // the link has ended, or is one of libzmq's own
    return std::nullopt;
  }
}

void Link::abandon() {
  const int none = 0;
  zmq_setsockopt(socket_, ZMQ_LINGER, &none, sizeof none);
}

void Link::take_events() {
  zmq::message_t event;
  zmq::message_t origin;
  while (monitor_.recv(event, zmq::recv_flags::dontwait)) {
    if (event.more() && !monitor_.recv(origin, zmq::recv_flags::dontwait)) return;
    if (event.size() != 6) continue;
    std::uint16_t kind = 0;
    std::int32_t value = 0;
    std::memcpy(&kind, event.data(), sizeof kind);
    std::memcpy(&value, event.data<char>() + sizeof kind, sizeof value);
    if (kind == ZMQ_EVENT_CONNECTED || kind == ZMQ_EVENT_LISTENING) was_open_ = true;
    if (kind != VTX_EVENT) continue;
    const std::string_view text = origin.to_string_view();
    const auto zero = text.find('\0');
    take_event(value, std::string(zero == std::string_view::npos ? text : text.substr(zero + 1)));
  }
}

void Link::take_event(int code, const std::string& sentence) {
  const std::string text = sentence.find(endpoint_) == std::string::npos ? endpoint_ + ": " + sentence : sentence;
  switch (code) {
    case VTX_EVENT_TROUBLE:
    case VTX_EVENT_QUEUE_FULL:
      if (!in_trouble_) note(text + " (waiting)");
      in_trouble_ = true;
      return;
    case VTX_EVENT_RECOVERED:
      if (in_trouble_) note(text);
      in_trouble_ = false;
      return;
    case VTX_EVENT_EPOCH:
      went_back_ = was_open_;  // before, nothing was durable: what is sent goes to what is there now
      note(text);
      return;
    case VTX_EVENT_CAUGHT_UP: caught_up_ = true; return;
    case VTX_EVENT_BAD_PROPERTIES:  // what was sent is not what was meant
    case VTX_EVENT_FAILED: failed_ = text; return;
    default: note(text);
  }
}

}  // namespace vtx::cli
