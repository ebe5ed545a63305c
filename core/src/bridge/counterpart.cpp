/* SPDX-License-Identifier: MPL-2.0 */
#include "bridge/counterpart.hpp"

#include <cerrno>
#include <utility>

#include "bridge/reaper.hpp"

namespace vtx {

Counterpart::Counterpart(void* zmq_context, void* socket, std::string address, const Kind& kind)
    : context_(zmq_context), socket_(socket), address_(std::move(address)), kind_(kind) {}

Counterpart::~Counterpart() { zmq_close(socket_); }

Result<std::unique_ptr<Counterpart>> Counterpart::create(void* zmq_context, const Kind& kind) {
  const int type = kind.type;
  void* socket = zmq_socket(zmq_context, type);
  if (socket == nullptr) {
    const int error = errno;
    return fail(error == ETERM ? Code::lost : Code::no_space,
                error == ETERM ? "the ZeroMQ context was terminated"
                               : "no socket for the link: raise ZMQ_MAX_SOCKETS or the descriptor limit",
                error);
  }
  std::unique_ptr<Counterpart> counterpart(new Counterpart(zmq_context, socket, unique_inproc("link"), kind));
  // inproc adds both sides' marks: with 1 here the application's own mark decides. Of subscriptions none may be cut off. Nothing of ours
  // may linger.
  const int one = 1;
  const int none = 0;
  if (type == ZMQ_XPUB) {
    // It must block where it would drop.
    if (zmq_setsockopt(socket, ZMQ_XPUB_NODROP, &one, sizeof one) != 0)
      return fail(Code::internal, std::string("cannot set up the link's inproc socket: ") + zmq_strerror(errno), errno);
    auto sentinel = create(zmq_context, {ZMQ_DEALER, true, false, false, false});
    if (!sentinel) return sentinel;
    counterpart->sentinel_ = std::move(*sentinel);
  }
  std::size_t size = sizeof counterpart->fd_;
  if (zmq_setsockopt(socket, ZMQ_SNDHWM, &one, sizeof one) != 0 ||
      zmq_setsockopt(socket, ZMQ_RCVHWM, kind.unbounded || type == ZMQ_XPUB ? &none : &one, sizeof one) != 0 ||
      zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none) != 0 ||
      (!kind.late && zmq_bind(socket, counterpart->address_.c_str()) != 0) ||
      zmq_getsockopt(socket, ZMQ_FD, &counterpart->fd_, &size) != 0) {
    return fail(Code::internal, std::string("cannot set up the link's inproc socket: ") + zmq_strerror(errno), errno);
  }
  return counterpart;
}

std::vector<std::string> Counterpart::addresses() const {
  if (!sentinel_) return {address_};
  return {address_, sentinel_->address_};
}

std::vector<int> Counterpart::fds() const {
  if (!sentinel_) return {fd_};
  return {fd_, sentinel_->fd_};
}

Status Counterpart::join(void* application_socket) {
  // First, so that it is the first to hear that the socket goes: the end of the subscriptions that comes with that must not be taken for a wish.
  if (sentinel_) {
    if (Status status = sentinel_->join(application_socket); !status.ok()) return status;
  }
  if (kind_.late) return join_late(application_socket);
  if (zmq_connect(application_socket, address_.c_str()) != 0) {
    return Status(Code::internal, std::string("cannot join the socket to its link: ") + zmq_strerror(errno), errno);
  }
  if (Status status = block_publisher(application_socket); !status.ok()) return status;
  // As a subscriber of before ZMTP 3.1 would (RFC 29): a byte 1, then the prefix.
  if (kind_.subscribes && zmq_send(socket_, "\x01", 1, ZMQ_DONTWAIT) != 1)
    return Status(Code::internal, std::string("cannot subscribe to the socket: ") + zmq_strerror(errno), errno);
  refresh();
  int events = 0;
  std::size_t size = sizeof events;
  (void)zmq_getsockopt(application_socket, ZMQ_EVENTS, &events, &size);
  // Nothing else can have been sent before this returns.
  if (kind_.takes_probe) {
    refresh();
    probed_ = readable_;
    drain();
  }
  return {};
}

/// A durable publisher blocks, it does not drop.
Status Counterpart::block_publisher(void* application_socket) const {
  const int one = 1;
  if (!kind_.subscribes || zmq_setsockopt(application_socket, ZMQ_XPUB_NODROP, &one, sizeof one) == 0) return {};
  return Status(Code::internal, std::string("cannot set ZMQ_XPUB_NODROP: ") + zmq_strerror(errno), errno);
}

/// The other way round: the application's socket is bound, so that the pipe can be made in the driver's thread.
Status Counterpart::join_late(void* application_socket) {
  if (Status status = block_publisher(application_socket); !status.ok()) return status;
  if (kind_.takes_probe) {  // which libzmq does not tell: another pipe, for a moment, shows it
    Kind punctual = kind_;
    punctual.late = false;
    auto other = create(context_, punctual);
    if (!other) return other.error();
    if (Status status = (*other)->join(application_socket); !status.ok()) return status;
    probe_comes_ = (*other)->probed();
    (void)zmq_disconnect(application_socket, (*other)->address_.c_str());
  }
  if (zmq_bind(application_socket, address_.c_str()) != 0)
    return Status(Code::internal, std::string("cannot join the socket to its link: ") + zmq_strerror(errno), errno);
  arrived_ = false;
  return {};
}

void Counterpart::arrive() {
  arrived_ = true;
  if (zmq_connect(socket_, address_.c_str()) != 0 && errno == ETERM) terminated_ = true;
  if (kind_.subscribes) (void)zmq_send(socket_, "\x01", 1, ZMQ_DONTWAIT);
}

Counterpart::Io Counterpart::failed() {
  if (errno == EAGAIN || errno == EINTR) return Io::would_block;
  terminated_ = true;
  writable_ = false;
  return Io::terminated;
}

Counterpart::Io Counterpart::send(zmq_msg_t* frame, bool more) {
  if (zmq_msg_send(frame, socket_, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0) return Io::done;
  return failed();
}

Counterpart::Io Counterpart::receive(zmq_msg_t* frame, bool* more) {
  if (zmq_msg_recv(frame, socket_, ZMQ_DONTWAIT) < 0) return failed();
  *more = zmq_msg_more(frame) != 0;
  if (std::exchange(probe_comes_, false) && !*more && zmq_msg_size(frame) == 0) return receive(frame, more);
  return Io::done;
}

int Counterpart::events_of(void* socket) {
  int events = 0;
  std::size_t size = sizeof events;
  if (zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0) return events;
  if (errno == ETERM) terminated_ = true;
  return 0;
}

void Counterpart::refresh() {
  const int events = events_of(socket_);
  writable_ = (events & ZMQ_POLLOUT) != 0;
  readable_ = (events & ZMQ_POLLIN) != 0;
  if (!sentinel_) return;
  // It is sent the subscriptions, too.
  sentinel_->drain();
  writable_ = (events_of(sentinel_->socket_) & ZMQ_POLLOUT) != 0;
}

void Counterpart::drain() {
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  while (zmq_msg_recv(&frame, socket_, ZMQ_DONTWAIT) >= 0) {
  }
  zmq_msg_close(&frame);
}

}  // namespace vtx
