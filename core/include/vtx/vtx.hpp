/* SPDX-License-Identifier: MPL-2.0 */
//
// VTX in C++, over the C API of vtx.h and with cppzmq's own types: zmq::context_t in, zmq::message_t out. What a
// function does, and when it fails, stands at its namesake in vtx.h; here failures are thrown as vtx::error.
//
//   zmq::context_t context;
//   vtx::instance vtx(context);                         // destroyed before the context
//   vtx.add_driver("sqlite", vtx_sqlite_driver);        // or vtx_register_all(vtx.handle()) of vtx/all.h
//   vtx::socket jobs(vtx, zmq::socket_type::pull);      // destroyed before the instance
//   jobs.bind(vtx::endpoint("sqlite:q.db").queue("jobs"));   // or "sqlite:q.db?queue=jobs"
//   for (vtx::delivery& job : vtx::deliveries(jobs)) { work(job.message()); job.ack(); }
#pragma once

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "vtx/endpoint.hpp"
#include "vtx/vtx.h"

namespace vtx {

/// What failed, as a sentence of vtx_last_error(); num() is the errno value.
class error : public zmq::error_t {
 public:
  error() : sentence_(std::make_shared<std::string>(vtx_last_error())) {}
  const char* what() const noexcept override { return sentence_->c_str(); }

 private:
  std::shared_ptr<const std::string> sentence_;  // shared: copying an exception must not throw
};

namespace detail {
inline void check(int result) {
  if (result != 0) throw error();
}

inline bool flush(vtx_t* vtx, void* socket, std::chrono::milliseconds timeout) {
  if (vtx_flush(vtx, socket, static_cast<int>(timeout.count())) == 0) return true;
  if (errno == EAGAIN) return false;
  throw error();
}

inline vtx_stats_t stats(vtx_t* vtx, void* socket, const std::string& endpoint) {
  vtx_stats_t stats{};
  stats.struct_size = sizeof stats;
  check(vtx_stats(vtx, socket, endpoint.empty() ? nullptr : endpoint.c_str(), &stats));
  return stats;
}
}  // namespace detail

/// Owns a vtx_t. Thread-safe as vtx_t is. Its destructor waits for linger, as vtx_destroy() does.
class instance {
 public:
  explicit instance(zmq::context_t& context) : vtx_(vtx_new(context.handle())) {
    if (vtx_ == nullptr) throw error();
  }
  instance(instance&& other) noexcept : vtx_(std::exchange(other.vtx_, nullptr)) {}
  instance& operator=(instance&& other) noexcept {
    std::swap(vtx_, other.vtx_);
    return *this;
  }
  ~instance() {
    if (vtx_ != nullptr) (void)vtx_destroy(&vtx_);
  }

  vtx_t* handle() const noexcept { return vtx_; }

  void add_driver(const std::string& scheme, vtx_driver_fn driver) {
    detail::check(vtx_register(vtx_, scheme.c_str(), driver));
  }
  void load(const std::string& plugin_path) { detail::check(vtx_load(vtx_, plugin_path.c_str())); }

  // Links of any libzmq socket of the context, zmq::socket_t too.
  void bind(zmq::socket_ref socket, const std::string& endpoint) {
    detail::check(vtx_bind(vtx_, socket.handle(), endpoint.c_str()));
  }
  void connect(zmq::socket_ref socket, const std::string& endpoint) {
    detail::check(vtx_connect(vtx_, socket.handle(), endpoint.c_str()));
  }
  void unbind(zmq::socket_ref socket, const std::string& endpoint) {
    detail::check(vtx_unbind(vtx_, socket.handle(), endpoint.c_str()));
  }
  void disconnect(zmq::socket_ref socket, const std::string& endpoint) {
    detail::check(vtx_disconnect(vtx_, socket.handle(), endpoint.c_str()));
  }

  /// False when not all was durable in time; negative: waits for ever. Throws for what holds the link up (ENOSPC, …).
  bool flush(zmq::socket_ref socket, std::chrono::milliseconds timeout = std::chrono::milliseconds(-1)) {
    return detail::flush(vtx_, socket.handle(), timeout);
  }

  /// @param events  a mask of ZMQ_EVENT_… and VTX_EVENT
  void monitor(zmq::socket_ref socket, const std::string& inproc_address, int events = 0xffff) {
    detail::check(vtx_monitor(vtx_, socket.handle(), inproc_address.c_str(), events));
  }

  /// Of all links of the socket, or of the one with this endpoint.
  vtx_stats_t stats(zmq::socket_ref socket, const std::string& endpoint = {}) const {
    return detail::stats(vtx_, socket.handle(), endpoint);
  }

  /// The answer is JSON.
  std::string admin(const std::string& endpoint, const std::string& command,
                    std::chrono::milliseconds timeout = std::chrono::milliseconds(-1)) {
    char* json = nullptr;
    detail::check(vtx_admin(vtx_, endpoint.c_str(), command.c_str(), static_cast<int>(timeout.count()), &json));
    const std::unique_ptr<char, void (*)(void*)> owned(json, &vtx_free);
    return owned.get();
  }

 private:
  vtx_t* vtx_;
};

/// What the links of a socket do, as vtx_socket_pattern() reads it. A vtx::socket made with it closes itself as that function asks for: leave
/// zmq_close() alone.
struct pattern {
  std::string spec;
};

/// Owns a genuine libzmq socket and its links; sends, receives and sets options as any zmq::socket_ref. One thread at a time.
/// Must end before its instance.
class socket : public zmq::socket_ref {
 public:
  socket(instance& owner, zmq::socket_type type)
      : zmq::socket_ref(zmq::from_handle, made(vtx_socket(owner.handle(), static_cast<int>(type)))),
        vtx_(owner.handle()) {}
  socket(instance& owner, const pattern& pattern)
      : zmq::socket_ref(zmq::from_handle, made(vtx_socket_pattern(owner.handle(), pattern.spec.c_str()))),
        vtx_(owner.handle()) {}
  socket(socket&& other) noexcept : zmq::socket_ref(other), vtx_(other.vtx_) { other._handle = nullptr; }
  socket& operator=(socket&& other) noexcept {
    std::swap(_handle, other._handle);
    std::swap(vtx_, other.vtx_);
    return *this;
  }
  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;
  ~socket() {
    if (_handle != nullptr) (void)vtx_close(vtx_, _handle);
  }

  void bind(const std::string& endpoint) { detail::check(vtx_bind(vtx_, handle(), endpoint.c_str())); }
  void connect(const std::string& endpoint) { detail::check(vtx_connect(vtx_, handle(), endpoint.c_str())); }
  void unbind(const std::string& endpoint) { detail::check(vtx_unbind(vtx_, handle(), endpoint.c_str())); }
  void disconnect(const std::string& endpoint) { detail::check(vtx_disconnect(vtx_, handle(), endpoint.c_str())); }

  /// As instance::flush(), stats() and monitor().
  bool flush(std::chrono::milliseconds timeout = std::chrono::milliseconds(-1)) {
    return detail::flush(vtx_, handle(), timeout);
  }
  vtx_stats_t stats(const std::string& endpoint = {}) const { return detail::stats(vtx_, _handle, endpoint); }

  /// Of the newest link, as it was given.
  std::string last_endpoint() const {
    std::array<char, 8192> text{};
    detail::check(vtx_last_endpoint(vtx_, _handle, text.data(), text.size()));
    return text.data();
  }
  /// By the property Delivery-Id, where the message itself has gone.
  void ack(const std::string& delivery_id) { detail::check(vtx_ack_id(vtx_, handle(), delivery_id.c_str())); }
  void nack(const std::string& delivery_id, std::chrono::milliseconds delay = {}) {
    detail::check(vtx_nack_id(vtx_, handle(), delivery_id.c_str(), static_cast<int>(delay.count())));
  }

  vtx_t* vtx() const noexcept { return vtx_; }

 private:
  static void* made(void* handle) {
    if (handle == nullptr) throw error();
    return handle;
  }

  vtx_t* vtx_;
};

/// A received message that is given back unless it was acknowledged: an exception that unwinds past it loses nothing,
/// whatever the link's `ack` is. Any one thread at a time; may outlive its socket, not the instance.
class delivery {
 public:
  delivery(vtx_t* vtx, std::vector<zmq::message_t> frames) : vtx_(vtx), frames_(std::move(frames)) {}
  delivery(delivery&& other) noexcept : vtx_(std::exchange(other.vtx_, nullptr)), frames_(std::move(other.frames_)) {}
  delivery& operator=(delivery&& other) noexcept {
    std::swap(vtx_, other.vtx_);
    std::swap(frames_, other.frames_);
    return *this;
  }
  ~delivery() {
    if (vtx_ != nullptr) (void)decide([this](zmq_msg_t* frame) { return vtx_nack(vtx_, frame, 0); });
  }

  /// The first frame; of most messages the only one, of a ROUTER's the sender's identity.
  const zmq::message_t& message() const { return frames_.front(); }
  const std::vector<zmq::message_t>& frames() const { return frames_; }

  /// Settles it. Throws when it is too late (EALREADY, EINVAL: the link has ended, or somebody else has it by now).
  void ack() {
    detail::check(decide([vtx = std::exchange(vtx_, nullptr)](zmq_msg_t* frame) { return vtx_ack(vtx, frame); }));
  }
  /// Gives it back, to be delivered again to anyone of the group after `delay`.
  void nack(std::chrono::milliseconds delay = {}) {
    const int ms = static_cast<int>(delay.count());
    detail::check(
        decide([=, vtx = std::exchange(vtx_, nullptr)](zmq_msg_t* frame) { return vtx_nack(vtx, frame, ms); }));
  }

 private:
  /// The first frames may be no part of what was stored: a ROUTER's identity is libzmq's own, a REP's envelope a copy.
  template <class Call>
  int decide(const Call& call) {
    int result = -1;
    errno = EINVAL;
    for (std::size_t i = 0; i < frames_.size() && result != 0 && errno == EINVAL; ++i)
      result = call(frames_[i].handle());
    return result;
  }

  vtx_t* vtx_;  ///< nullptr once settled or moved from
  std::vector<zmq::message_t> frames_;
};

/// Receives the next message of a socket whose links are all VTX's. nullopt when there is none (dontwait, ZMQ_RCVTIMEO).
inline std::optional<delivery> receive(const socket& from, zmq::recv_flags flags = zmq::recv_flags::none) {
  zmq::socket_ref source = from;
  std::vector<zmq::message_t> frames(1);
  if (!source.recv(frames.back(), flags)) return std::nullopt;
  while (frames.back().more()) {
    frames.emplace_back();
    (void)source.recv(frames.back());
  }
  return delivery(from.vtx(), std::move(frames));
}

/// The messages of a socket, one by one, until there is none within its ZMQ_RCVTIMEO. Each is given back unless it was acknowledged
/// before the next is asked for. An input range: one pass, one iterator at a time.
class deliveries {
 public:
  explicit deliveries(const socket& from) : from_(&from) {}

  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = delivery;
    using difference_type = std::ptrdiff_t;
    using pointer = delivery*;
    using reference = delivery&;

    iterator() = default;
    explicit iterator(const socket& from) : from_(&from) { ++*this; }
    reference operator*() { return *now_; }
    pointer operator->() { return &*now_; }
    iterator& operator++() {
      now_.reset();  // the one before is let go, or given back, before the next is waited for
      now_ = receive(*from_);
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& one, const iterator& other) {
      return one.now_.has_value() == other.now_.has_value();
    }

   private:
    const socket* from_ = nullptr;
    std::optional<delivery> now_;
  };

  iterator begin() const { return iterator(*from_); }
  iterator end() const { return {}; }

 private:
  const socket* from_;
};

/// A link event, as vtx_monitor() tells it.
struct event {
  int kind = 0;   ///< ZMQ_EVENT_… or VTX_EVENT
  int value = 0;  ///< of VTX_EVENT: VTX_EVENT_TROUBLE, …
  std::string endpoint;
  std::string sentence;  ///< of VTX_EVENT: what happened
};

/// Listens to a socket's link events. Make it before the links; must end before the instance. One thread at a time.
class monitor {
 public:
  monitor(zmq::context_t& context, instance& owner, zmq::socket_ref socket, int events = 0xffff)
      : pair_(context, zmq::socket_type::pair) {
    const std::string address =
        "inproc://vtx-monitor-" + std::to_string(reinterpret_cast<std::uintptr_t>(pair_.handle()));
    owner.monitor(socket, address, events);
    pair_.connect(address);
  }

  /// For zmq_poll.
  zmq::socket_ref socket() { return pair_; }

  /// nullopt when none came in time; negative: waits for ever.
  std::optional<event> wait(std::chrono::milliseconds timeout = std::chrono::milliseconds(-1)) {
    pair_.set(zmq::sockopt::rcvtimeo, static_cast<int>(timeout.count()));
    zmq::message_t head, tail;
    if (!pair_.recv(head) || !pair_.recv(tail)) return std::nullopt;
    std::uint16_t kind = 0;
    std::int32_t value = 0;
    std::memcpy(&kind, head.data(), sizeof kind);
    std::memcpy(&value, static_cast<const char*>(head.data()) + sizeof kind, sizeof value);
    event told{kind, value, tail.to_string(), {}};
    if (const auto zero = told.endpoint.find('\0'); zero != std::string::npos) {
      told.sentence = told.endpoint.substr(zero + 1);
      told.endpoint.resize(zero);
    }
    return told;
  }

 private:
  zmq::socket_t pair_;
};

}  // namespace vtx
