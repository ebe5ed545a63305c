/* SPDX-License-Identifier: MPL-2.0 */
//
// See sender.hpp.
#include "sender.hpp"

#include <fmt/format.h>

#include <cerrno>

#include "endpoint_text.hpp"
#include "failure.hpp"
#include "report.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

// The pipe is bounded in messages, not in bytes: a thousand messages of 64 MiB would be 64 GiB.
constexpr std::uint64_t kMaxUnflushedBytes = std::uint64_t{64} << 20;
constexpr int kFlushSliceMs = 200;
constexpr auto kGrace = std::chrono::seconds(5);

/// Why a peer cannot be reached, and what would help.
std::string unreachable(const std::string& endpoint) {
  if (is_plain(endpoint)) return "and no such peer is connected now; start it first";
  return fmt::format("and no such peer has ever attached to queue '{}'; start it once, and its mailbox is there",
                     endpoint_option(endpoint, "queue").value_or("default"));
}

/// True for what waiting may cure: the store's trouble, which its event has told.
bool may_pass(int error) { return error == EAGAIN || error == EBUSY || error == ENOSPC; }

}  // namespace

bool Sender::send(Message& message) {
  if (awaits_subscriber_ && !wait_for_subscriber()) return false;
  Frames& frames = message.frames;
  if (link_.socket_type() == ZMQ_ROUTER && frames.size() < 2)
    throw Failure(
        fmt::format("{}: message {} has one frame, which names the peer; write behind it what the peer is to "
                    "get, if need be an empty frame",
                    link_.endpoint(), count_ + 1));
  if (properties_)
    frames.push_back(std::move(message.properties));
  else if (!message.properties.empty())
    throw Failure(fmt::format("{}: message {} has properties, which this endpoint cannot carry: leave them out",
                              link_.endpoint(), count_ + 1));
  std::uint64_t bytes = 0;
  for (const auto& frame : frames) bytes += frame.size();
  if (bytes_since_flush_ > 0 && bytes_since_flush_ + bytes > kMaxUnflushedBytes && !flush()) return false;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
    while (zmq_msg_send(frames[i].handle(), link_.socket(), more | ZMQ_DONTWAIT) < 0) {
      if (zmq_errno() == EHOSTUNREACH)
        throw Failure(fmt::format("{}: message {} is for '{}', {}", link_.endpoint(), count_ + 1,
                                  printable(frames[i].to_string_view()), unreachable(link_.endpoint())));
      if (zmq_errno() != EAGAIN && zmq_errno() != EINTR)
        throw Failure(link_.endpoint() + ": " + zmq_strerror(zmq_errno()));
      if (link_.wait(ZMQ_POLLOUT, -1, std::chrono::seconds(1)).stop) return false;
    }
  }
  ++count_;
  bytes_since_flush_ += bytes;
  return true;
}

bool Sender::wait_for_subscriber() {
  Ready ready;
  while (!ready.socket && !ready.stop) ready = link_.wait(ZMQ_POLLIN, -1, std::chrono::seconds(1));
  awaits_subscriber_ = !ready.socket;
  return !ready.stop;
}

bool Sender::flush() {
  using Clock = std::chrono::steady_clock;
  Clock::time_point given_up = Clock::time_point::max();
  while (vtx_flush(link_.session().vtx(), link_.socket(), kFlushSliceMs) != 0) {
    const int error = errno;
    const Failure failure = last_failure(link_.endpoint());
    const Ready ready = link_.wait(0, -1, std::chrono::milliseconds(error == EAGAIN ? 0 : kFlushSliceMs));
    if (!may_pass(error)) throw Failure(failure.what());  // what was typed is not at fault any more
    if (!ready.stop) continue;
    if (given_up == Clock::time_point::max()) given_up = Clock::now() + kGrace;
    if (Clock::now() >= given_up || link_.session().signals().count() > 1) return false;
  }
  (void)link_.wait(0, -1, std::chrono::milliseconds(0));  // an event may tell that a message is not what was meant
  bytes_since_flush_ = 0;
  return true;
}

}  // namespace vtx::cli
