/* SPDX-License-Identifier: MPL-2.0 */
//
// What a row of the release table is played on: a receiver of some kind in the middle of its work, what the application
// holds of it, and the receiver that looks afterwards for what comes again.
#pragma once

#include <algorithm>
#include <deque>

#include "contract/link_contract.hpp"

namespace vtx::test {

/// A socket on a group, with or without a filter of its own.
struct ReleaseReceiver {
  const char* name;
  int type, sender;
  const char* group;
  std::string options;
  bool acks_next;
};

/// A receiver in the middle of a row: its queue, what the application holds of it, and what looks for the rest afterwards.
class ReleaseScene : public LinkScene {
 public:
  ReleaseScene(const LinkUnderTest& under_test, const ReleaseReceiver& kind, bool binds)
      : LinkScene(under_test), kind_(kind), binds_(binds) {}

  const ReleaseReceiver& kind() const { return kind_; }
  Socket& receiver() { return *receiver_; }
  std::string endpoint() const { return at(kind_.options); }
  /// Begins, with these messages in the queue.
  void start(const std::vector<Frames>& messages, const std::string& prefix = {}) {
    receiver_ = join(kind_.options, prefix);
    Socket sender(world(), kind_.sender);
    // A DEALER hears only who is on the other side.
    has_sides() && !binds_ ? sender.bind(at()) : sender.connect(at());
    for (const Frames& message : messages) sender.send(message);
    sender.flush();
  }
  void start_with(int count) {
    std::vector<Frames> messages;
    for (const std::string& text : count_up(1, count)) messages.push_back({text});
    start(messages);
  }
  /// Receives one frame and holds it.
  Message& hold() {
    EXPECT_TRUE(receiver().receive(held_.emplace_back()));
    return held_.back();
  }
  void receive_copy(const char* text) {
    char bytes[16] = "";
    receiver().set(ZMQ_RCVTIMEO, static_cast<int>(kPatience.count()));
    EXPECT_GT(zmq_recv(receiver().get(), bytes, sizeof bytes - 1, 0), 0) << zmq_strerror(errno);
    EXPECT_STREQ(bytes, text);
  }
  void expect_in_hand(std::uint64_t count) { EXPECT_TRUE(receiver().reaches(&vtx_stats_t::in_hand, count)); }
  /// Of what it holds, the oldest being 0.
  Message& held(std::size_t index) { return held_.at(index); }
  Message& spare() { return held_.emplace_back(); }
  void let_go_of_all() { held_.clear(); }
  /// A socket for messages to be handed on to, or from.
  Socket& helper(int type) { return *helpers_.emplace_back(std::make_unique<Socket>(world(), type)); }
  /// All that another receiver of the group gets, until nothing is left: the frames, and which delivery it says it is.
  Frames what_comes_again() {
    const auto other =
        join("properties=on" + (kind_.type == ZMQ_SUB ? "&subscription=" + std::string(kind_.group) : ""));
    Frames got;
    EXPECT_TRUE(wait_until([&] {
      while (auto message = other->receive_frames(Ms{5})) got.push_back(describe(*message));
      return group(group_name()).depth == 0;
    })) << group(group_name()).depth
        << " were neither settled nor given back";
    std::ranges::sort(got);  // what was counted may come before or after what was not
    return got;
  }

 private:
  std::unique_ptr<Socket> join(const std::string& options, const std::string& prefix = {}) {
    auto socket = std::make_unique<Socket>(world(), kind_.type);
    if (kind_.type == ZMQ_SUB) zmq_setsockopt(socket->get(), ZMQ_SUBSCRIBE, prefix.data(), prefix.size());
    binds_ ? socket->bind(at(options)) : socket->connect(at(options));
    return socket;
  }
  bool has_sides() const { return kind_.type == ZMQ_DEALER; }
  std::string group_name() const {
    return has_sides() ? (binds_ ? "up/" : "down/") + std::string(kind_.group) : kind_.group;
  }
  static std::string describe(const Frames& frames) {
    std::string text = frames.front();
    for (std::size_t i = 1; i + 1 < frames.size(); ++i) text += "|" + frames[i];
    const std::string key = "Deliveries: ";
    const auto found = frames.back().find(key);
    if (found == std::string::npos) return text + " without its deliveries";
    const auto from = found + key.size();
    return text + " #" + frames.back().substr(from, frames.back().find('\n', from) - from);
  }

  const ReleaseReceiver& kind_;
  const bool binds_;
  std::unique_ptr<Socket> receiver_;
  std::vector<std::unique_ptr<Socket>> helpers_;
  std::deque<Message> held_;
};

}  // namespace vtx::test
