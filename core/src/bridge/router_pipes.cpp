/* SPDX-License-Identifier: MPL-2.0 */
#include "bridge/router_pipes.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "bridge/reaper.hpp"

namespace vtx {

RouterPipes::Peer::~Peer() {
  if (socket != nullptr) zmq_close(socket);
}

RouterPipes::RouterPipes(void* zmq_context, bool blocks, std::string address, std::unique_ptr<Counterpart> sentinel)
    : context_(zmq_context),
      blocks_(blocks),
      address_(std::move(address)),
      sentinel_(std::move(sentinel)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

RouterPipes::~RouterPipes() = default;

Result<std::unique_ptr<RouterPipes>> RouterPipes::create(void* zmq_context, bool blocks) {
  auto sentinel = Counterpart::create(zmq_context, {ZMQ_DEALER, true, false, false, true});
  if (!sentinel) return tl::unexpected<Status>(sentinel.error());
  std::unique_ptr<RouterPipes> pipes(
      new RouterPipes(zmq_context, blocks, unique_inproc("peers"), std::move(*sentinel)));
  if (!pipes->epoll_.valid())
    return fail(Code::no_space, "no descriptor left for the peers of a ROUTER: raise the limit (ulimit -n)", errno);
  return pipes;
}

Status RouterPipes::join(void* application_socket) {
  if (Status status = sentinel_->join(application_socket); !status.ok()) return status;
  // Else libzmq drops what finds a peer's pipe full.
  const int one = 1;
  if (blocks_ && zmq_setsockopt(application_socket, ZMQ_ROUTER_MANDATORY, &one, sizeof one) != 0)
    return Status(Code::internal, std::string("cannot set ZMQ_ROUTER_MANDATORY: ") + zmq_strerror(errno), errno);
  if (zmq_bind(application_socket, address_.c_str()) != 0)
    return Status(Code::internal, std::string("cannot join the socket to its link: ") + zmq_strerror(errno), errno);
  return {};
}

Status RouterPipes::add(const std::string& identity) {
  auto peer = std::make_unique<Peer>();
  peer->identity = identity;
  peer->socket = zmq_socket(context_, ZMQ_DEALER);
  const int sending = 1;  // inproc adds both sides' marks: with 1 here the application's own mark decides
  const int receiving = blocks_ ? 1 : 0;
  const int linger = 0;
  std::size_t size = sizeof peer->fd;
  if (peer->socket == nullptr || zmq_setsockopt(peer->socket, ZMQ_ROUTING_ID, identity.data(), identity.size()) != 0 ||
      zmq_setsockopt(peer->socket, ZMQ_SNDHWM, &sending, sizeof sending) != 0 ||
      zmq_setsockopt(peer->socket, ZMQ_RCVHWM, &receiving, sizeof receiving) != 0 ||
      zmq_setsockopt(peer->socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
      zmq_getsockopt(peer->socket, ZMQ_FD, &peer->fd, &size) != 0 || zmq_connect(peer->socket, address_.c_str()) != 0) {
    const int error = errno;
    if (error == ETERM) {
      terminated_ = true;
      return Status(Code::lost, "the ZeroMQ context was terminated", error);
    }
    return Status(Code::no_space, std::string("no pipe for a peer: ") + zmq_strerror(error), error);
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = peer.get();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, peer->fd, &event) != 0)
    return Status(Code::no_space, std::string("no pipe for a peer: ") + zmq_strerror(errno), errno);
  has_news(*peer);
  peers_[identity] = std::move(peer);
  return {};
}

void RouterPipes::remove(const std::string& identity) {
  const auto found = peers_.find(identity);
  if (found == peers_.end()) return;
  found->second->leaving = true;
  has_news(*found->second);
}

/// The descriptor lives until the reaper has closed the socket, and rings meanwhile.
void RouterPipes::close(Peer& peer) {
  (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, peer.fd, nullptr);
  if (aim_ == &peer) aim_ = nullptr;
  peers_.erase(std::string(peer.identity));
}

std::vector<std::string> RouterPipes::addresses() const {
  std::vector<std::string> all{address_};
  std::ranges::copy(sentinel_->addresses(), std::back_inserter(all));
  return all;
}

std::vector<int> RouterPipes::fds() const {
  std::vector<int> all{epoll_.get()};
  std::ranges::copy(sentinel_->fds(), std::back_inserter(all));
  return all;
}

void RouterPipes::has_news(Peer& peer) {
  if (std::exchange(peer.queued, true)) return;
  ready_.push_back(&peer);
}

int RouterPipes::events_of(const Peer& peer) {
  int events = 0;
  std::size_t size = sizeof events;
  if (zmq_getsockopt(peer.socket, ZMQ_EVENTS, &events, &size) == 0) return events;
  if (errno == ETERM) terminated_ = true;
  return 0;
}

Pipe::Io RouterPipes::failed() {
  if (errno == EAGAIN || errno == EINTR) return Io::would_block;
  terminated_ = true;
  return Io::terminated;
}

Pipe::Io RouterPipes::send(zmq_msg_t* frame, bool more) {
  if (aim_ == nullptr) return Io::would_block;
  // Sending may process what its descriptor would have told of.
  has_news(*aim_);
  if (zmq_msg_send(frame, aim_->socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0) return Io::done;
  return failed();
}

Pipe::Io RouterPipes::receive(zmq_msg_t* frame, bool* more) {
  if (ready_.empty()) look_for_news();
  while (!ready_.empty()) {
    Peer& peer = *ready_.front();
    if (zmq_msg_recv(frame, peer.socket, ZMQ_DONTWAIT) < 0) {
      if (failed() == Io::terminated) return Io::terminated;
      ready_.pop_front();
      peer.queued = false;
      if (peer.leaving) close(peer);
      continue;
    }
    *more = zmq_msg_more(frame) != 0;
    if (is_probe(peer, frame, *more)) continue;
    source_ = peer.identity;
    if (!*more) {  // the others' turn
      ready_.pop_front();
      ready_.push_back(&peer);
    }
    return Io::done;
  }
  return Io::would_block;
}

/// The empty message that ZMQ_PROBE_ROUTER sends ahead to every peer.
bool RouterPipes::is_probe(Peer& peer, const zmq_msg_t* frame, bool more) {
  return std::exchange(peer.fresh, false) && sentinel_->probed() && !more && zmq_msg_size(frame) == 0;
}

void RouterPipes::refresh() {
  sentinel_->refresh();
  look_for_news();
  writable_ = true;
  if (aim_ == nullptr) return;
  const int events = events_of(*aim_);
  writable_ = (events & ZMQ_POLLOUT) != 0;
  // The asking has silenced the descriptor, which may have told of this.
  if ((events & ZMQ_POLLIN) != 0) has_news(*aim_);
}

void RouterPipes::look_for_news() {
  std::array<epoll_event, 256> events{};
  while (!terminated()) {  // after which asking silences nothing
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
      Peer& peer = *static_cast<Peer*>(events[static_cast<std::size_t>(i)].data.ptr);
      (void)events_of(peer);  // asking processes the commands, which silences the descriptor
      has_news(peer);
    }
    if (count < static_cast<int>(events.size())) return;
  }
}

}  // namespace vtx
