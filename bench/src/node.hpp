/* SPDX-License-Identifier: MPL-2.0 */
//
// The VTX side of a benchmark: what an application does, by the public C API.
#pragma once

#include <vtx/vtx.h>
#include <zmq.h>

#include <cstdint>
#include <string>
#include <vector>

namespace vtx::bench {

/// A context with VTX on it. Sockets opened here are closed with it at the latest.
class Node {
 public:
  /// @param hwm  ZMQ_SNDHWM and ZMQ_RCVHWM of its sockets
  explicit Node(int hwm);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void* open(int type, const std::string& endpoint);
  void close(void* socket);
  void flush(void* socket);
  vtx_stats_t stats(void* socket);

 private:
  const int hwm_;
  void* context_;
  vtx_t* vtx_;
  std::vector<void*> sockets_;
};

/// A queue in the database at `path`, durably sent and acknowledged by release.
/// @param scheme  the store's
std::string endpoint_of(const std::string& path, const std::string& retain, const std::string& scheme = "sqlite");

/// Sends messages of `size` bytes that carry their number, from `first` on. Any one thread.
void send_numbered(void* socket, std::uint64_t count, std::size_t size, std::uint64_t first = 0);
/// Receives messages, from `first` on, and lets each go; throws when one is not the next.
void receive_numbered(void* socket, std::uint64_t count, std::uint64_t first = 0);

}  // namespace vtx::bench
