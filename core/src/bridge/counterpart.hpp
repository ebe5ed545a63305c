/* SPDX-License-Identifier: MPL-2.0 */
//
// The driver's end of the inproc pipe to an application's genuine socket. Knows libzmq's fine print, so that nobody else has to:
// when the pipe is gone, and when it is safe to sleep on the socket's descriptor.
#pragma once

#include <zmq.h>

#include <memory>
#include <string>

#include "vtx/driver/status.hpp"

namespace vtx {

/// Made by the application's thread, handed to the driver's thread, and from then on confined to it.
class Counterpart {
 public:
  /// What happened to one frame.
  enum class Io { done, would_block, terminated };

  /// Binds a socket of `type` to an inproc address of its own. Application thread.
  static Result<std::unique_ptr<Counterpart>> create(void* zmq_context, int type);
  /// Joins the application's socket to it: on return the pipe exists on both sides. Application thread.
  Status join(void* application_socket);
  ~Counterpart();
  Counterpart(const Counterpart&) = delete;
  Counterpart& operator=(const Counterpart&) = delete;

  const std::string& address() const { return address_; }
  int fd() const { return fd_; }

  Io send(zmq_msg_t* frame, bool more);
  /// On `done` the frame is filled and `more` tells whether another follows.
  Io receive(zmq_msg_t* frame, bool* more);

  /// Processes libzmq's commands. After this, and after receive() said would_block, fd() tells of every change.
  void refresh();
  bool terminated() const { return terminated_; }
  // As of the latest refresh():
  bool writable() const { return writable_; }
  bool readable() const { return readable_; }

 private:
  Counterpart(void* socket, std::string address);
  Io failed();

  void* socket_;
  const std::string address_;
  int fd_ = -1;
  bool terminated_ = false;
  bool writable_ = true;
  bool readable_ = false;
};

}  // namespace vtx
