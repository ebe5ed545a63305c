/* SPDX-License-Identifier: MPL-2.0 */
//
// The monitors of an instance: PAIR sockets, one an application socket, that speak of its links as zmq_socket_monitor does.
#pragma once

#include <zmq.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "vtx/driver/status.hpp"

namespace vtx {

/// A socket of the application. libzmq may give the address of one that was closed to the next, while links of the first still linger.
using SocketId = std::uint64_t;

/// Thread-safe: the lock makes one PAIR socket usable by several driver threads in turn.
class Monitors {
 public:
  explicit Monitors(void* zmq_context) : context_(zmq_context) {}
  ~Monitors();

  /// Begins, or with a null address ends, the monitoring of `socket`.
  Status set(SocketId socket, const char* address, int events);
  /// Never blocks: an event that a slow reader has no room for is dropped, as libzmq does.
  /// @param sentence  of VTX's own events; empty for libzmq's
  void emit(SocketId socket, int event, int value, const std::string& endpoint, const std::string& sentence = {});

 private:
  struct Monitor {
    void* pair = nullptr;
    int events = 0;
  };
  static void end(Monitor monitor);

  void* const context_;
  std::mutex mutex_;
  std::map<SocketId, Monitor> monitors_;
};

}  // namespace vtx
