/* SPDX-License-Identifier: MPL-2.0 */
//
// What an application thread hands over to make a link.
#pragma once

#include <cstdint>
#include <string>

#include "endpoint/endpoint.hpp"
#include "manager/monitor.hpp"
#include "pattern/pattern.hpp"

namespace vtx {

struct LinkRequest {
  std::uint64_t id = 0;    ///< of the link, in this process
  void* socket = nullptr;  ///< the application's; never used from a driver thread
  SocketId socket_id = 0;
  const Pattern* pattern = nullptr;
  LinkEndpoint endpoint;
  bool bind = false;
  std::string peer;  ///< who the link is, where its pattern has a mailbox: see pattern/peer.hpp
  // Options of the genuine socket, in ZeroMQ's own units.
  int linger_ms = -1;
  bool immediate = false;
  int receive_hwm = 1000;
  int send_hwm = 1000;
  int reconnect_ms = 100;
  int reconnect_max_ms = 0;
  std::int64_t largest = -1;  ///< ZMQ_MAXMSGSIZE: of what is received; -1 any
};

}  // namespace vtx
