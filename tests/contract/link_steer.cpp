/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: what consumers at work notice when an operator moves or drops their group.
#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

TEST_P(LinkContract, StatsTellHowFarConsumersAndReadersLag) {
  Socket sub(world(), ZMQ_SUB);
  sub.set(ZMQ_SUBSCRIBE, "").set(ZMQ_RCVHWM, 1).connect(at("from=oldest&prefetch=1&retain=forever"));
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  Socket(world(), ZMQ_PULL).connect(at());  // there is a group from now on
  EXPECT_TRUE(wait_until([&] { return push.stats().depth == 0 && push.stats().lag_ms == 0; }));
  push.send_each(count_up(1, 20));
  push.flush();
  const auto lags = [](const vtx_stats_t& stats, std::uint64_t depth) {
    return stats.depth >= depth && stats.depth <= 20 && stats.lag_ms > 0 && stats.lag_ms < 600'000;
  };
  EXPECT_TRUE(wait_until([&] { return lags(push.stats(), 20); }));
  EXPECT_TRUE(wait_until([&] { return lags(sub.stats(), 1); }));
  EXPECT_EQ(sub.receive(20), count_up(1, 20));
  EXPECT_TRUE(wait_until([&] { return sub.stats().depth == 0 && sub.stats().lag_ms == 0; }));
}

TEST_P(LinkContract, StatsDoNotTellTheLagOfMessagesThatNoGroupIsForYet) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  EXPECT_EQ(push.stats().depth, 0U);
  EXPECT_EQ(push.stats().lag_ms, 0U);
  push.send_each(count_up(1, 3));
  push.flush();
  EXPECT_TRUE(push.reaches(&vtx_stats_t::depth, 3));
  EXPECT_EQ(push.stats().lag_ms, UINT64_MAX);
}

TEST_P(LinkContract, WhatIsLargerThanASocketTakesBecomesADeadLetter) {
  const std::string large(101, 'x');
  Socket push(world(), ZMQ_PUSH);
  push.connect(at("retain=forever"));
  push.send("small");
  push.send(large);
  push.send(Frames{std::string(60, 'a'), std::string(60, 'b')});  // each frame by itself, as over every transport
  push.flush();
  Socket pull(world(), ZMQ_PULL);
  pull.set_64(ZMQ_MAXMSGSIZE, 100).bind(at());
  EXPECT_EQ(pull.receive(), "small");
  const auto two = pull.receive_frames();
  ASSERT_TRUE(two);
  EXPECT_EQ(two->size(), 2U);
  ASSERT_TRUE(wait_until([&] { return !dead_letters(world(), at()).empty(); }));
  const auto letters = dead_letters(world(), at());
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_NE(letters.front().reason.find("101 bytes, with a ZMQ_MAXMSGSIZE of 100"), std::string::npos)
      << letters.front().reason;
  Socket sub(world(), ZMQ_SUB);
  sub.set_64(ZMQ_MAXMSGSIZE, 100).set(ZMQ_SUBSCRIBE, "").connect(at("from=oldest"));
  EXPECT_EQ(sub.receive(), "small");
  EXPECT_TRUE(sub.receive_frames());
  EXPECT_EQ(sub.stats().filtered, 1U);
}

TEST_P(LinkContract, WhatIsTooLargeForWhoHasSettledItAlreadyIsCounted) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.send_each({"a", std::string(101, 'x'), "b"});
  push.flush();
  Socket pull(world(), ZMQ_PULL);
  EventLog events(world(), pull);
  pull.set_64(ZMQ_MAXMSGSIZE, 100).bind(at("ack=none"));
  EXPECT_EQ(pull.receive(2), (Frames{"a", "b"}));
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_REFUSED));
  EXPECT_TRUE(wait_until([&] { return show(world(), at()).counters["refused"] == 1; }));
}

TEST_P(LinkContract, WhatASubscriberDidNotAskForIsFilteredHoweverLarge) {
  Socket sub(world(), ZMQ_SUB);
  sub.set_64(ZMQ_MAXMSGSIZE, 100).set(ZMQ_SUBSCRIBE, "a.").connect(at("subscription=s&from=oldest"));
  Socket pub(world(), ZMQ_PUB);
  pub.bind(at());
  pub.send_each({"b." + std::string(101, 'x'), "a.small"});
  EXPECT_EQ(sub.receive(), "a.small");
  EXPECT_TRUE(wait_until([&] { return sub.stats().filtered == 1; }));
  EXPECT_EQ(sub.stats().dead_lettered, 0U);
}

TEST_P(LinkContract, ALargeDeadLetterIsGivenToWhoeverAsksForIt) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.send(std::string(101, 'x'));
  push.flush();
  Socket pull(world(), ZMQ_PULL);
  pull.set_64(ZMQ_MAXMSGSIZE, 100).bind(at());
  ASSERT_TRUE(wait_until([&] { return !dead_letters(world(), at()).empty(); }));
  Socket onlooker(world(), ZMQ_SUB);  // without a group, and so another way
  onlooker.set_64(ZMQ_MAXMSGSIZE, 100).set(ZMQ_SUBSCRIBE, "").connect(at_queue("q.dead&from=oldest"));
  EXPECT_EQ(onlooker.receive(), std::string(101, 'x'));
  Socket undertaker(world(), ZMQ_PULL);
  undertaker.set_64(ZMQ_MAXMSGSIZE, 100).connect(at_queue("q.dead"));
  EXPECT_EQ(undertaker.receive(), std::string(101, 'x'));
}

TEST_P(LinkContract, AConsumerWhoseGroupIsMovedForwardGoesOnThere) {
  put(count_up(1, 5));
  Socket pull(world(), ZMQ_PULL);
  EventLog events(world(), pull);
  pull.connect(at());
  Message held;
  ASSERT_TRUE(pull.receive(held));
  EXPECT_EQ(steer(world(), at(), "groups seek default now"), 5);
  held.release();
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_FENCED));
  put({"6"});
  // What was in the pipe already is the application's.
  for (int i = 0; i < 5; ++i)
    if (pull.receive() == "6") break;
  EXPECT_TRUE(drained());
  EXPECT_EQ(show(world(), at()).counters["skipped"], 5U);
}

TEST_P(LinkContract, AConsumerWhoseGroupIsMovedBackGetsItAgain) {
  put(count_up(1, 3));
  Socket other(world(), ZMQ_PULL);  // so that the messages are retained
  other.connect(at("group=other"));
  other.receive(1);
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(3), count_up(1, 3));
  EXPECT_TRUE(drained());
  EXPECT_EQ(steer(world(), at(), "groups seek default seq:2"), 0);
  EXPECT_EQ(pull.receive(2), count_up(2, 3));
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, AConsumerMakesADroppedGroupAnew) {
  put(count_up(1, 2));
  Socket pull(world(), ZMQ_PULL);
  EventLog events(world(), pull);
  pull.connect(at());
  EXPECT_EQ(pull.receive(2), count_up(1, 2));
  EXPECT_TRUE(drained());
  EXPECT_EQ(steer(world(), at(), "groups drop default"), 0);
  put({"3"});
  while (pull.receive() != "3") {
  }
  EXPECT_TRUE(drained());
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_RECOVERED));
}

TEST_P(LinkContract, AnAskerWhoseMailboxWasDroppedGetsAnother) {
  Socket rep(world(), ZMQ_REP);
  rep.bind(at());
  Socket req(world(), ZMQ_REQ);
  req.set(ZMQ_ROUTING_ID, "desk");
  req.connect(at());
  req.send("one");
  EXPECT_EQ(rep.receive(), "one");
  rep.send("eins");
  EXPECT_EQ(req.receive(), "eins");
  EXPECT_EQ(steer(world(), at(), "groups drop mailbox:desk/default"), -1);  // it is there
  EXPECT_GE(steer(world(), at(), "groups drop mailbox:desk/default force"), 0);
  EXPECT_TRUE(wait_until([&] { return steer(world(), at(), "groups seek mailbox:desk/default oldest") >= 0; }));
  req.send("two");
  EXPECT_EQ(rep.receive(), "two");
  rep.send("zwei");
  EXPECT_EQ(req.receive(), "zwei");
}

}  // namespace
}  // namespace vtx::test
