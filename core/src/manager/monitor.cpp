/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/monitor.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace vtx {
namespace {

// Layout of zmq_socket_monitor: frame 1 is a 16-bit event and a 32-bit value in host order, frame 2 the endpoint.
/// False when the context was terminated, which waits for the PAIR to be closed.
bool send_event(void* pair, int event, int value, const std::string& text) {
  std::array<std::byte, 6> head{};
  const auto number = static_cast<std::uint16_t>(event);
  const auto wide = static_cast<std::uint32_t>(value);
  std::memcpy(head.data(), &number, sizeof number);
  std::memcpy(head.data() + sizeof number, &wide, sizeof wide);
  if (zmq_send(pair, head.data(), head.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) return errno != ETERM;
  (void)zmq_send(pair, text.data(), text.size(), ZMQ_DONTWAIT);
  return true;
}

}  // namespace

Monitors::~Monitors() {
  for (auto& [socket, monitor] : monitors_) end(monitor);
}

void Monitors::end(Monitor monitor) {
  if ((monitor.events & ZMQ_EVENT_MONITOR_STOPPED) != 0)
    (void)send_event(monitor.pair, ZMQ_EVENT_MONITOR_STOPPED, 0, {});
  const int linger = 0;
  zmq_setsockopt(monitor.pair, ZMQ_LINGER, &linger, sizeof linger);
  zmq_close(monitor.pair);
}

Status Monitors::set(SocketId socket, const char* address, int events) {
  const std::lock_guard lock(mutex_);
  if (const auto found = monitors_.find(socket); found != monitors_.end()) {
    end(found->second);
    monitors_.erase(found);
  }
  if (address == nullptr) return {};
  if (std::strncmp(address, "inproc://", 9) != 0) {
    return Status(Code::unsupported,
                  std::string("monitor address '") + address + "' is not supported: use an inproc:// address");
  }
  void* pair = zmq_socket(context_, ZMQ_PAIR);
  if (pair == nullptr)
    return Status(Code::no_space, std::string("no socket for the monitor: ") + zmq_strerror(errno), errno);
  if (zmq_bind(pair, address) != 0) {
    const int error = errno;
    zmq_close(pair);
    return Status(error == EADDRINUSE ? Code::busy : Code::invalid,
                  std::string("cannot bind the monitor to '") + address + "': " + zmq_strerror(error), error);
  }
  monitors_[socket] = {pair, events};
  return {};
}

void Monitors::emit(SocketId socket, int event, int value, const std::string& endpoint, const std::string& sentence) {
  const std::lock_guard lock(mutex_);
  const auto found = monitors_.find(socket);
  if (found == monitors_.end() || (found->second.events & event) == 0) return;
  std::string text = endpoint;
  if (!sentence.empty()) text.append(1, '\0').append(sentence);
  if (send_event(found->second.pair, event, value, text)) return;
  end(found->second);
  monitors_.erase(found);
}

}  // namespace vtx
