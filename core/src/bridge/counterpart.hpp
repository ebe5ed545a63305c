/* SPDX-License-Identifier: MPL-2.0 */
//
// The driver's end of the inproc pipe to an application's genuine socket. Knows libzmq's fine print, so that nobody else has to:
// when the pipe is gone, when it is full, and when it is safe to sleep on the socket's descriptor.
#pragma once

#include <zmq.h>

#include <memory>
#include <string>
#include <vector>

#include "bridge/pipe.hpp"
#include "vtx/driver/status.hpp"

namespace vtx {

class Counterpart final : public Pipe {
 public:
  struct Kind {
    int type = ZMQ_DEALER;
    bool unbounded = false;   ///< the application's socket never finds the pipe full
    bool subscribes = false;  ///< the application's socket publishes: it is told to send us everything
    bool late =
        false;  ///< the pipe is made by arrive(): what the application sends before finds no connection (ZMQ_IMMEDIATE)
    bool takes_probe = false;  ///< the application's socket may have ZMQ_PROBE_ROUTER set
  };

  /// Binds a socket to an inproc address of its own. Application thread.
  /// An XPUB can write whether or not anybody is there. It gets a sentinel beside it: a DEALER that carries nothing, but ceases to be
  /// writable when the application's socket goes.
  static Result<std::unique_ptr<Counterpart>> create(void* zmq_context, const Kind& kind);
  ~Counterpart() override;

  Status join(void* application_socket) override;
  bool arrived() const override { return arrived_; }
  void arrive() override;
  bool outlives_disconnect() const override { return kind_.late; }
  std::vector<std::string> addresses() const override;
  std::vector<int> fds() const override;
  Io send(zmq_msg_t* frame, bool more) override;
  Io receive(zmq_msg_t* frame, bool* more) override;
  void refresh() override;
  bool terminated() const override { return terminated_; }
  bool writable() const override { return writable_; }
  bool readable() const override { return readable_; }
  bool has_sentinel() const override { return sentinel_ != nullptr; }
  bool gone() const override { return has_sentinel() && !writable_; }
  /// join() found the empty message that ZMQ_PROBE_ROUTER sends to every peer, and took it away. Not of one that is late.
  bool probed() const { return probed_; }
  /// Lets go of all that there is to receive.
  void drain();

 private:
  Counterpart(void* zmq_context, void* socket, std::string address, const Kind& kind);
  Status join_late(void* application_socket);
  Status block_publisher(void* application_socket) const;
  Io failed();
  int events_of(void* socket);

  void* const context_;
  void* socket_;
  const std::string address_;
  const Kind kind_;
  int fd_ = -1;
  std::unique_ptr<Counterpart> sentinel_;
  bool arrived_ = true;
  bool probed_ = false;
  bool probe_comes_ = false;  ///< late: the first message will be one
  bool terminated_ = false;
  bool writable_ = true;
  bool readable_ = false;
};

}  // namespace vtx
