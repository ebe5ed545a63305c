/* SPDX-License-Identifier: MPL-2.0 */
//
// The driver's end of the inproc pipe to an application's genuine socket. Knows libzmq's fine print, so that nobody else has to:
// when the pipe is gone, when it is full, and when it is safe to sleep on the socket's descriptor.
#pragma once

#include <zmq.h>

#include <memory>
#include <string>
#include <vector>

#include "vtx/driver/status.hpp"

namespace vtx {

/// Made by the application's thread, handed to the driver's thread, and from then on confined to it.
class Counterpart {
 public:
  /// What happened to one frame.
  enum class Io { done, would_block, terminated };

  /// Binds a socket of `type` to an inproc address of its own. Application thread.
  /// An XPUB can write whether or not anybody is there. It gets a sentinel beside it: a DEALER that carries nothing, but ceases to be
  /// writable when the application's socket goes.
  /// @param unbounded  the application's socket never finds the pipe full
  static Result<std::unique_ptr<Counterpart>> create(void* zmq_context, int type, bool unbounded);
  /// Joins the application's socket to it: on return the pipe exists on both sides. Application thread.
  /// @param subscribe_all  the application's socket publishes: it is told to send us everything
  Status join(void* application_socket, bool subscribe_all);
  ~Counterpart();
  Counterpart(const Counterpart&) = delete;
  Counterpart& operator=(const Counterpart&) = delete;

  /// The inproc addresses that the application's socket was connected to; the first is that of the pipe.
  std::vector<std::string> addresses() const;
  /// Descriptors to wait on.
  std::vector<int> fds() const;

  Io send(zmq_msg_t* frame, bool more);
  /// On `done` the frame is filled and `more` tells whether another follows.
  Io receive(zmq_msg_t* frame, bool* more);

  /// Processes libzmq's commands. After this, and after receive() or send() said would_block, fds() tell of every change.
  void refresh();
  bool terminated() const { return terminated_; }
  // As of the latest refresh():
  /// There is room in the pipe; with a sentinel: the application's socket is there, and only send() tells whether there is room.
  bool writable() const { return writable_; }
  bool readable() const { return readable_; }
  bool has_sentinel() const { return sentinel_ != nullptr; }

 private:
  Counterpart(void* socket, std::string address);
  Io failed();
  int events_of(void* socket);
  void drain_sentinel();

  void* socket_;
  const std::string address_;
  int fd_ = -1;
  std::unique_ptr<Counterpart> sentinel_;
  bool terminated_ = false;
  bool writable_ = true;
  bool readable_ = false;
};

}  // namespace vtx
