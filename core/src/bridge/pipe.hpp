/* SPDX-License-Identifier: MPL-2.0 */
//
// The driver's end of what joins a link to an application's genuine socket: one inproc pipe (counterpart.hpp), or, for a ROUTER, one a
// peer (router_pipes.hpp).
#pragma once

#include <zmq.h>

#include <string>
#include <vector>

#include "vtx/driver/status.hpp"

namespace vtx {

/// Made by the application's thread, handed to the driver's thread, and from then on confined to it.
class Pipe {
 public:
  /// What happened to one frame.
  enum class Io { done, would_block, terminated };

  virtual ~Pipe() = default;
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  /// Joins the application's socket to it: on return the pipe exists on both sides, unless it is to arrive later. Application thread.
  virtual Status join(void* application_socket) = 0;

  /// False while the pipe waits for arrive(): until then there is nothing to send and to receive. Driver thread, as all that follows.
  virtual bool arrived() const { return true; }
  virtual void arrive() {}

  /// The application's socket was bound to it, so that disconnecting only keeps new pipes out; those that are there end with the driver's side.
  virtual bool outlives_disconnect() const { return false; }

  /// The inproc addresses that the application's socket was joined to, to be disconnected from; the newest is the first.
  virtual std::vector<std::string> addresses() const = 0;
  /// Descriptors to wait on.
  virtual std::vector<int> fds() const = 0;

  virtual Io send(zmq_msg_t* frame, bool more) = 0;
  /// On `done` the frame is filled and `more` tells whether another follows.
  virtual Io receive(zmq_msg_t* frame, bool* more) = 0;
  /// The peer that the frame received last was for; empty where there is but one.
  virtual const std::string& source() const;

  /// Processes libzmq's commands. After this, and after receive() or send() said would_block, fds() tell of every change.
  virtual void refresh() = 0;
  virtual bool terminated() const = 0;
  // As of the latest refresh():
  /// As far as is known there is room for what is sent next.
  virtual bool writable() const = 0;
  virtual bool readable() const = 0;
  /// Something beside the pipe tells when the application's socket goes. Without it, a pipe that is not writable may be full, or gone.
  virtual bool has_sentinel() const = 0;
  /// It told so.
  virtual bool gone() const = 0;
};

}  // namespace vtx
