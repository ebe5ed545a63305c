/* SPDX-License-Identifier: MPL-2.0 */
//
// What a test of whole links needs: a ZeroMQ context with a VTX instance on it, genuine sockets, messages, and a look into
// the store by vtx_admin. Each ends itself in the order that libzmq and VTX ask for. Whatever does not come within a
// generous deadline fails the test; nothing here takes a time-out for an answer.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vtx/vtx.h"

namespace vtx::test {

using Ms = std::chrono::milliseconds;
using Frames = std::vector<std::string>;

inline constexpr Ms kPatience{30'000};

/// True as soon as `condition` holds; false when it does not within the deadline.
bool wait_until(const std::function<bool()>& condition, Ms deadline = kPatience);
/// Texts "first" … "last" as decimal numbers.
Frames count_up(int first, int last);

/// A context and an instance. Declare it before the sockets.
class World {
 public:
  /// @param max_sockets  of its context, which the instance cannot raise any more; 0 as many as it likes
  World(const char* scheme, vtx_driver_fn driver, int max_sockets = 0);
  /// A second instance on a context that another World keeps.
  World(const World& other, const char* scheme, vtx_driver_fn driver);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void* context() const { return context_; }
  vtx_t* vtx() const { return vtx_; }
  /// Ends the instance now, keeps the context.
  void destroy();
  /// zmq_ctx_term, with the instance still there.
  void terminate();

 private:
  void* context_ = nullptr;
  bool own_ = true;
  vtx_t* vtx_ = nullptr;
};

class Message {
 public:
  Message() { zmq_msg_init(&message_); }
  explicit Message(std::string_view text);
  ~Message() { zmq_msg_close(&message_); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  zmq_msg_t* get() { return &message_; }
  std::string text() { return std::string(static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)); }
  bool more() { return zmq_msg_more(&message_) != 0; }
  void release() { zmq_msg_close(&message_), zmq_msg_init(&message_); }

 private:
  zmq_msg_t message_{};
};

/// A socket with time-outs of kPatience; ended by vtx_close.
class Socket {
 public:
  Socket(World& world, int type);
  /// vtx_socket_pattern
  Socket(World& world, const char* pattern);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void* get() const { return socket_; }
  Socket& set(int option, int value);
  Socket& set_64(int option, std::int64_t value);
  Socket& set(int option, std::string_view value);
  /// These fail the test when the call fails.
  Socket& bind(const std::string& endpoint);
  Socket& connect(const std::string& endpoint);
  void disconnect(const std::string& endpoint);
  void flush();
  /// vtx_close, or zmq_close without a word to VTX.
  void close();
  void close_plainly();

  void send(std::string_view text);
  void send(const Frames& frames);
  void send_each(const Frames& texts);
  /// Without waiting; false when it would block.
  bool try_send(std::string_view text);

  /// Lets libzmq do what it has put off until it is called. @return ZMQ_EVENTS
  int look();

  /// One message as zmq_recv gives it: a copy, and released. nullopt when nothing came within the time.
  std::optional<Frames> receive_frames(Ms within = kPatience);
  std::string receive();
  std::vector<std::string> receive(int count);
  /// One frame, held by the caller.
  bool receive(Message& message, Ms within = kPatience);
  bool receives_nothing(Ms within = Ms{100}) { return !receive_frames(within); }

  vtx_stats_t stats(const char* endpoint = nullptr) const;
  /// The socket's link is noted no more.
  bool has_link() const;
  /// Waits until the counter or gauge has the value.
  testing::AssertionResult reaches(std::uint64_t vtx_stats_t::*counter, std::uint64_t value) const;

 private:
  World& world_;
  void* socket_;
};

/// A SUB with subscriptions.
class Subscriber : public Socket {
 public:
  explicit Subscriber(World& world, const Frames& prefixes = {""});
  void subscribe(const std::string& prefix);
  void unsubscribe(const std::string& prefix);
};

/// Joins the two by libzmq alone; returns when the publisher knows the subscriptions.
void join_plainly(Socket& publisher, Subscriber& subscriber);

/// What `vtx_admin show` says of a queue.
struct QueueView {
  struct Group {
    std::uint64_t depth = 0, claimed = 0, retrying = 0;
  };
  bool exists = false;
  std::string retain;
  std::uint64_t messages = 0, delayed = 0, head = 0, dead = 0;
  std::map<std::string, Group> groups;
  std::map<std::string, std::uint64_t> counters;
};
QueueView show(World& world, const std::string& endpoint);

struct DeadView {
  std::uint64_t seq = 0;
  std::string group, reason, preview;
  std::uint64_t deliveries = 0;
};
std::vector<DeadView> dead_letters(World& world, const std::string& endpoint);
/// A command whose answer has a count; -1 when it failed.
std::int64_t steer(World& world, const std::string& endpoint, const std::string& command);

/// Listens to a socket's link events. Make it before the links.
class EventLog {
 public:
  struct Entry {
    int event = 0;
    int value = 0;
    std::string endpoint, sentence;
  };
  EventLog(World& world, Socket& socket, int events = ZMQ_EVENT_ALL | VTX_EVENT);
  ~EventLog();
  /// The next event of this kind (and value, when not -1); others before it are passed over.
  std::optional<Entry> wait(int event, int value = -1, Ms within = kPatience);

 private:
  void* pair_;
};

}  // namespace vtx::test
