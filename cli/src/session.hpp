/* SPDX-License-Identifier: MPL-2.0 */
//
// What every command stands on: the ZeroMQ context with a VTX instance that knows all drivers, and links whose
// waits end for a message, for a signal and for news of the store alike.
#pragma once

#include <vtx/vtx.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "signals.hpp"

namespace vtx::cli {

/// Context, VTX instance and signals, in the order in which they must come and go. One thread at a time.
class Session {
 public:
  Session();
  /// Waits for what the links still have to do; a signal ends the process meanwhile.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  zmq::context_t& context() noexcept { return context_; }
  vtx_t* vtx() noexcept { return vtx_; }
  Signals& signals() noexcept { return signals_; }

 private:
  Signals signals_;  // first: its mask is inherited by every thread
  zmq::context_t context_;
  vtx_t* vtx_ = nullptr;
};

enum class Side { bind, connect };

/// The side that a person expects: `*` in the address and the types that serve bind, all else connects.
Side default_side(const std::string& endpoint, int socket_type);

/// What ended a wait; several may be true, none when its time was up.
struct Ready {
  bool socket = false;  ///< the socket can do what was asked for
  bool input = false;   ///< the descriptor is readable
  bool stop = false;    ///< a signal asked to end
};

/// What a socket must be told before it is linked.
struct SocketSetup {
  std::vector<std::string> prefixes{};  ///< of a SUB: what it subscribes to
  std::string routing_id{};             ///< by which others know it; empty: by none
};

/// One socket with one link, and the events of that link, printed as they come. One thread at a time.
class Link {
 public:
  /// Throws Failure when the endpoint cannot be linked.
  Link(Session& session, int socket_type, const std::string& endpoint, Side side, const SocketSetup& setup = {});
  /// Messages still held then go back to the group.
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void* socket() noexcept { return socket_; }
  Session& session() noexcept { return session_; }
  int socket_type() const noexcept { return socket_type_; }
  const std::string& endpoint() const noexcept { return endpoint_; }
  /// True once a subscriber has been given all that was there when it began; the last of it may be on its way.
  bool is_caught_up() const noexcept { return caught_up_; }
  /// True between an event of trouble and that of recovery.
  bool in_trouble() const noexcept { return in_trouble_; }

  /// True once the store has gone back in time behind this link's back, as by a restored backup: what was durable may be no more.
  bool went_back() const noexcept { return went_back_; }

  /// Waits for `events` (ZMQ_POLLIN, ZMQ_POLLOUT, 0 none) of the socket, for `input` (-1 none) to be readable, or a signal.
  /// Throws Failure when the link has ended by a fault.
  Ready wait(short events, int input, std::chrono::milliseconds timeout);

  /// Counters of the link. @throws Failure
  vtx_stats_t stats();
  /// The gauge `depth` of these; nothing when it is not known.
  std::optional<std::uint64_t> depth();

  /// Gives up what is not durable yet: closing will not wait for it.
  void abandon();

 private:
  void configure(const SocketSetup& setup);
  void watch();
  void take_events();
  void take_event(int code, const std::string& sentence);

  Session& session_;
  int socket_type_;
  std::string endpoint_;
  void* socket_ = nullptr;
  zmq::socket_t monitor_;
  bool in_trouble_ = false;
  bool caught_up_ = false;
  bool was_open_ = false;  // the store answered, if only once: vtx_connect does not wait for that for ever
  bool went_back_ = false;
  std::string failed_;  // the sentence of the event that ends the command
};

}  // namespace vtx::cli
