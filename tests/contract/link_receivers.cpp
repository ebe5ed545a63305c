/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: what an endpoint says of consuming (ack, hold, max_deliveries, prefetch, prefetch_bytes) holds for every type of
// socket that leases messages.
#include <algorithm>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

struct Receiving {
  const char* name;  ///< of its queue, too
  int receiver;
  int sender;
  const char* group;
  const char* options;
};

const std::vector<Receiving> kAll{
    {"pull", ZMQ_PULL, ZMQ_PUSH, "default", ""},
    {"sub", ZMQ_SUB, ZMQ_PUB, "s", "&subscription=s&from=oldest"},
    {"xsub", ZMQ_XSUB, ZMQ_XPUB, "s", "&subscription=s&from=oldest"},
    {"dealer", ZMQ_DEALER, ZMQ_DEALER, "up/default", ""},
    {"router", ZMQ_ROUTER, ZMQ_DEALER, "up/default", ""},
    {"pair", ZMQ_PAIR, ZMQ_PAIR, "up/default", ""},
};

/// A receiver with these options, and what a sender has left for it.
class Scene {
 public:
  Scene(World& world, const Receiving& what, std::string address, const std::string& options, const Frames& texts)
      : world_(world),
        what_(what),
        address_(std::move(address)),
        receiver_(world, what.receiver),
        events_(world, receiver_) {
    if (what.receiver == ZMQ_SUB) receiver_.set(ZMQ_SUBSCRIBE, "");
    receiver_.set(ZMQ_RCVHWM, 1).bind(address_ + what.options + "&" + options);
    if (what.receiver == ZMQ_XSUB) receiver_.send(std::string(1, '\1'));
    EXPECT_TRUE(wait_until([&] { return show(world_, address_).groups.contains(what.group); }));
    Socket sender(world, what.sender);
    sender.connect(address_);
    sender.send_each(texts);
    sender.flush();
  }
  /// The next message's body; what stands before it is let go.
  bool receive(Message& message) {
    return (what_.receiver != ZMQ_ROUTER || receiver_.receive(message)) && receiver_.receive(message);
  }
  std::string receive() {
    Message message;
    return receive(message) ? message.text() : "nothing came";
  }
  Socket& socket() { return receiver_; }
  EventLog& events() { return events_; }
  std::uint64_t depth() { return show(world_, address_).groups[what_.group].depth; }
  std::uint64_t claimed() { return show(world_, address_).groups[what_.group].claimed; }

 private:
  World& world_;
  const Receiving& what_;
  const std::string address_;
  Socket receiver_;
  EventLog events_;
};

TEST_P(LinkContract, EveryReceiverMayAcknowledgeByHand) {
  for (const Receiving& what : kAll) {
    SCOPED_TRACE(what.name);
    Scene scene(world(), what, at_queue(what.name), "ack=manual", {"1", "2"});
    Message one;
    ASSERT_TRUE(scene.receive(one));
    EXPECT_EQ(vtx_ack(world().vtx(), one.get()), 0) << vtx_last_error();
    EXPECT_EQ(scene.receive(), "2");
    EXPECT_TRUE(wait_until([&] { return scene.depth() == 1; })) << "released, not acknowledged";
    EXPECT_EQ(scene.socket().stats().in_hand, 1U);
  }
}

TEST_P(LinkContract, EveryReceiverMayAcknowledgeByTheNext) {
  for (const Receiving& what : kAll) {
    SCOPED_TRACE(what.name);
    Scene scene(world(), what, at_queue(what.name), "ack=next", {"1", "2", "3"});
    for (const char* text : {"1", "2", "3"}) EXPECT_EQ(scene.receive(), text);
    EXPECT_TRUE(wait_until([&] { return scene.depth() == 1; }));
    EXPECT_EQ(scene.socket().stats().settled, 2U);
  }
}

TEST_P(LinkContract, EveryReceiverMayRefuseUntilAMessageIsDead) {
  for (const Receiving& what : kAll) {
    SCOPED_TRACE(what.name);
    Scene scene(world(), what, at_queue(what.name), "max_deliveries=2&prefetch=1", {"bad", "good"});
    Frames came;
    for (int refused = 0; refused < 2;) {
      Message message;
      ASSERT_TRUE(scene.receive(message));
      came.push_back(message.text());
      if (came.back() != "bad") continue;
      EXPECT_EQ(vtx_nack(world().vtx(), message.get(), 0), 0) << vtx_last_error();
      ++refused;
    }
    if (came.size() == 2) came.push_back(scene.receive());
    std::ranges::sort(came);
    EXPECT_EQ(came, (Frames{"bad", "bad", "good"}));
    EXPECT_TRUE(scene.events().wait(VTX_EVENT, VTX_EVENT_DEAD_LETTERED));
    EXPECT_TRUE(wait_until([&] { return scene.depth() == 0; }));
    const auto letters = dead_letters(world(), at_queue(what.name));
    ASSERT_EQ(letters.size(), 1U);
    EXPECT_EQ(letters[0].group, what.group);
    EXPECT_EQ(letters[0].deliveries, 2U);
  }
}

TEST_P(LinkContract, EveryReceiverLosesWhatItHoldsTooLong) {
  for (const Receiving& what : kAll) {
    SCOPED_TRACE(what.name);
    Scene scene(world(), what, at_queue(what.name), "hold=100ms", {"1"});
    Message held;
    ASSERT_TRUE(scene.receive(held));
    EXPECT_TRUE(scene.events().wait(VTX_EVENT, VTX_EVENT_HOLD_EXCEEDED));
    EXPECT_EQ(scene.receive(), "1");
    EXPECT_TRUE(wait_until([&] { return scene.depth() == 0; }));
    EXPECT_GE(scene.socket().stats().redelivered, 1U);
  }
}

TEST_P(LinkContract, EveryReceiverClaimsNoMoreThanItsPrefetch) {
  for (const Receiving& what : kAll) {
    SCOPED_TRACE(what.name);
    Scene scene(world(), what, at_queue(what.name), "prefetch=5", Frames(100, "text"));
    for (int i = 0; i < 100; ++i) {
      ASSERT_EQ(scene.receive(), "text");
      EXPECT_LE(scene.socket().stats().in_hand, 6U);
      // What was let go may not be recorded yet.
      if (i % 10 == 0) {
        EXPECT_TRUE(wait_until([&] { return scene.claimed() <= 6U; })) << scene.claimed();
      }
    }
  }
}

/// What it has in memory is counted by claims, which carry at most 1 MiB.
TEST_P(LinkContract, EveryReceiverClaimsNoMoreThanItHasMemoryFor) {
  constexpr std::size_t kSize = 64UL * 1024;
  constexpr std::uint64_t kMost = 1 + 1024 * 1024 / kSize;
  for (const Receiving& what : kAll) {
    SCOPED_TRACE(what.name);
    Scene scene(world(), what, at_queue(what.name), "prefetch_bytes=64KiB", Frames(60, std::string(kSize, 'x')));
    for (int i = 0; i < 60; ++i) {
      ASSERT_EQ(scene.receive().size(), kSize);
      EXPECT_LE(scene.claimed(), kMost);
    }
  }
}

}  // namespace
}  // namespace vtx::test
