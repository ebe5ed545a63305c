/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: the ways to acknowledge besides release, what becomes of messages that fail too often, and how long
// settled ones stay.
#include <algorithm>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

// --- ack -------------------------------------------------------------------------------------------------------------

TEST_P(LinkContract, SeveralMessagesCanBeHeldBeforeTheFirstIsLetGo) {
  put(count_up(1, 20));
  for (const std::string ack : {"release", "manual"}) {
    Socket pull(world(), ZMQ_PULL);
    pull.connect(at("ack=" + ack + "&group=" + ack));
    std::vector<Message> held(ack == "manual" ? 20 : 5);  // by release it takes its time
    for (std::size_t i = 0; i < held.size(); ++i) {
      ASSERT_TRUE(pull.receive(held[i])) << ack;
      EXPECT_EQ(held[i].text(), std::to_string(i + 1));
    }
    if (ack == "manual") {
      for (Message& message : held) EXPECT_EQ(vtx_ack(world().vtx(), message.get()), 0) << vtx_last_error();
    }
    held.clear();
    EXPECT_TRUE(wait_until([&] { return ack == "manual" ? group(ack).depth == 0 : group(ack).depth <= 15; })) << ack;
  }
}

TEST_P(LinkContract, AckNextSettlesWithTheFollowingMessage) {
  put(count_up(1, 5));
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at("ack=next"));
  EXPECT_EQ(pull.receive(5), count_up(1, 5));
  EXPECT_TRUE(pull.reaches(&vtx_stats_t::settled, 4));
  EXPECT_EQ(group().depth, 1U);
  pull.close();
  expect_given_back({"5"}, 0);
}

TEST_P(LinkContract, AckNextEndsHoweverFastTheSocketIsClosed) {
  for (int round = 0; round < 60; ++round) {
    put({"a", "b", "c"});
    Socket pull(world(), ZMQ_PULL);
    pull.connect(at("ack=next"));
    EXPECT_EQ(pull.receive(2), (Frames{"a", "b"}));
    pull.close();
    Socket rest(world(), ZMQ_PULL);
    rest.connect(at());
    Frames got = rest.receive(2);
    std::ranges::sort(got);  // both were given back, each by itself
    ASSERT_EQ(got, (Frames{"b", "c"})) << round;
    ASSERT_EQ(rest.stats().redelivered, 0U) << round;
    ASSERT_TRUE(drained());
  }
}

TEST_P(LinkContract, AckNextGoesOnAfterARedeliveredMessage) {
  Message held;
  auto pull = with_held(held);
  put(count_up(1, 5));
  pull->close();
  held.release();
  Socket loop(world(), ZMQ_PULL);
  loop.connect(at("ack=next"));
  EXPECT_EQ(loop.receive(6), (Frames{"x", "1", "2", "3", "4", "5"}));
  EXPECT_EQ(loop.stats().redelivered, 1U);
  EXPECT_TRUE(loop.reaches(&vtx_stats_t::settled, 5));
}

TEST_P(LinkContract, AckManualSettlesOnlyByAck) {
  put({"a", "b"});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at("ack=manual"));
  Message a;
  ASSERT_TRUE(pull.receive(a));
  EXPECT_EQ(vtx_ack(world().vtx(), a.get()), 0) << vtx_last_error();
  EXPECT_TRUE(pull.reaches(&vtx_stats_t::settled, 1));
  a.release();
  EXPECT_EQ(pull.receive(), "b");  // received, released, never acknowledged
  EXPECT_EQ(pull.stats().in_hand, 1U);
  EXPECT_EQ(group().depth, 1U);
  pull.close();
  expect_given_back({"b"}, 1);
}

TEST_P(LinkContract, AckNoneSettlesBeforeHandOver) {
  put({"a", "b"});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at("ack=none"));
  Message held;
  ASSERT_TRUE(pull.receive(held));
  EXPECT_EQ(held.text(), "a");
  EXPECT_LE(group().depth, 1U) << "settled while it is held";
  EXPECT_EQ(pull.receive(), "b");
  EXPECT_TRUE(drained());
  pull.close();
  EXPECT_EQ(group().depth, 0U);
}

TEST_P(LinkContract, NackedComesAgainCounted) {
  Message held;
  auto pull = with_held(held);
  EXPECT_EQ(vtx_nack(world().vtx(), held.get(), 0), 0) << vtx_last_error();
  held.release();
  EXPECT_EQ(pull->receive(), "x");
  EXPECT_TRUE(drained());
  EXPECT_EQ(pull->stats().redelivered, 1U);
  EXPECT_EQ(pull->stats().nacked, 1U);
  EXPECT_EQ(pull->stats().settled, 1U);
}

TEST_P(LinkContract, NackedWithDelayComesNotBefore) {
  Message held;
  auto pull = with_held(held);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(vtx_nack(world().vtx(), held.get(), 300), 0);
  held.release();
  put({"y"});
  EXPECT_EQ(pull->receive(), "y") << "the others go on";
  EXPECT_EQ(pull->receive(), "x");
  EXPECT_GE(std::chrono::steady_clock::now() - before, Ms{299});
}

TEST_P(LinkContract, RefusesWhatCannotBeAcknowledged) {
  Message own("mine");
  EXPECT_EQ(vtx_ack(world().vtx(), own.get()), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_NE(std::string(vtx_last_error()), "");
  Message held;
  auto pull = with_held(held);
  EXPECT_EQ(vtx_nack(world().vtx(), held.get(), -1), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(vtx_nack(world().vtx(), held.get(), 7 * 24 * 3600 * 1000), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(vtx_ack(world().vtx(), nullptr), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(vtx_ack(world().vtx(), held.get()), 0);
  EXPECT_EQ(vtx_nack(world().vtx(), held.get(), 0), -1);
  EXPECT_TRUE(errno == EALREADY || errno == EINVAL) << "settled, or recorded and forgotten: " << vtx_last_error();
  held.release();
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, AckAfterTheEndOfTheLinkIsRefused) {
  Message held;
  auto pull = with_held(held);
  pull->close();
  EXPECT_EQ(vtx_ack(world().vtx(), held.get()), -1);
  EXPECT_TRUE(errno == EALREADY || errno == EINVAL) << "given back, or recorded and forgotten: " << vtx_last_error();
  expect_given_back({"x"}, 1);
}

TEST_P(LinkContract, AnyFrameAndAnEmptyMessageCanBeAcknowledged) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.send(Frames{""});
  push.send(Frames{"a", "", "c"});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at("ack=manual"));
  Message empty;
  ASSERT_TRUE(pull.receive(empty));
  EXPECT_EQ(vtx_ack(world().vtx(), empty.get()), 0) << vtx_last_error();
  empty.release();
  Message a;
  Message b;
  Message c;
  ASSERT_TRUE(pull.receive(a) && pull.receive(b) && pull.receive(c));
  EXPECT_EQ(vtx_ack(world().vtx(), b.get()), 0) << "an empty frame: " << vtx_last_error();
  EXPECT_EQ(vtx_ack(world().vtx(), c.get()), -1) << "the message is settled already";
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, HoldTakesBackWhatIsNeverLetGo) {
  Socket pull(world(), ZMQ_PULL);
  EventLog events(world(), pull);
  pull.connect(at("hold=300ms"));
  put({"x"});
  Message held;
  ASSERT_TRUE(pull.receive(held));
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_HOLD_EXCEEDED));
  EXPECT_EQ(pull.receive(), "x");
  EXPECT_TRUE(drained());
  held.release();
  EXPECT_GE(pull.stats().nacked, 1U);
  EXPECT_GE(pull.stats().redelivered, 1U);
  EXPECT_EQ(pull.stats().settled, 1U) << "a late release means nothing";
}

// --- dead letters ----------------------------------------------------------------------------------------------------

TEST_P(LinkContract, MessageThatFailsTooOftenBecomesADeadLetter) {
  Socket pull(world(), ZMQ_PULL);
  EventLog events(world(), pull);
  pull.connect(at("max_deliveries=2"));
  put({"bad", "good"});
  for (int delivery = 1; delivery <= 2;) {
    Message message;
    ASSERT_TRUE(pull.receive(message));
    if (message.text() != "bad") continue;
    ASSERT_EQ(vtx_nack(world().vtx(), message.get(), 0), 0);
    ++delivery;
  }
  const auto told = events.wait(VTX_EVENT, VTX_EVENT_DEAD_LETTERED);
  ASSERT_TRUE(told);
  EXPECT_NE(told->sentence.find("q.dead"), std::string::npos) << told->sentence;
  ASSERT_TRUE(wait_until([&] { return !dead_letters(world(), at()).empty(); }));
  const auto letters = dead_letters(world(), at());
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].preview, "bad");
  EXPECT_EQ(letters[0].group, "default");
  EXPECT_EQ(letters[0].deliveries, 2U);
  EXPECT_NE(letters[0].reason.find("nacked"), std::string::npos) << letters[0].reason;
  EXPECT_EQ(show(world(), at()).dead, 1U);
  EXPECT_EQ(pull.stats().dead_lettered, 1U);
  EXPECT_TRUE(wait_until([&] {
    (void)pull.receive_frames(Ms{0});
    return group().depth == 0;
  }));
  Socket undertaker(world(), ZMQ_PULL);
  undertaker.connect(at_queue("q.dead"));
  EXPECT_EQ(undertaker.receive(), "bad");
  Socket push(world(), ZMQ_PUSH);
  EXPECT_EQ(vtx_connect(world().vtx(), push.get(), at_queue("q.dead").c_str()), -1) << "nobody sends dead letters";
  EXPECT_EQ(errno, EINVAL);
}

/// A consumer of `group` that refuses the next message once and for all.
void refuse(World& world, const std::string& endpoint) {
  Socket pull(world, ZMQ_PULL);
  pull.connect(endpoint + "&max_deliveries=1");
  Message message;
  ASSERT_TRUE(pull.receive(message));
  ASSERT_EQ(vtx_nack(world.vtx(), message.get(), 0), 0);
  message.release();
  EXPECT_TRUE(wait_until([&] { return !dead_letters(world, endpoint).empty(); }));
}

TEST_P(LinkContract, RequeueGivesADeadLetterToItsGroupAlone) {
  Socket blue(world(), ZMQ_PULL);
  blue.connect(at("group=blue"));
  put({"x"});
  EXPECT_EQ(blue.receive(), "x");
  refuse(world(), at("group=red"));
  EXPECT_EQ(steer(world(), at(), "dead requeue all"), 1);
  Socket red(world(), ZMQ_PULL);
  red.connect(at("group=red&max_deliveries=1"));
  EXPECT_EQ(red.receive(), "x");
  EXPECT_TRUE(drained("red"));
  put({"y"});
  EXPECT_EQ(blue.receive(), "y") << "the requeued message is red's alone";
  EXPECT_TRUE(drained("blue"));
  EXPECT_EQ(show(world(), at()).dead, 0U);
}

TEST_P(LinkContract, DropForgetsADeadLetter) {
  put({"x"});
  refuse(world(), at("group=red"));
  EXPECT_EQ(steer(world(), at(), "dead drop 77"), -1);
  EXPECT_EQ(errno, ENOENT);
  const auto letters = dead_letters(world(), at());
  EXPECT_EQ(steer(world(), at(), "dead drop " + std::to_string(letters.at(0).seq)), 1);
  EXPECT_TRUE(dead_letters(world(), at()).empty());
  EXPECT_EQ(show(world(), at()).dead, 0U);
}

// --- retention -------------------------------------------------------------------------------------------------------

TEST_P(LinkContract, RetainForeverKeepsWhatWasSettled) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at("retain=forever"));
  push.send_each(count_up(1, 10));
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(10), count_up(1, 10));
  EXPECT_TRUE(drained());
  EXPECT_EQ(show(world(), at()).messages, 10U);
  Socket late(world(), ZMQ_PULL);
  late.connect(at("group=late"));
  EXPECT_EQ(late.receive(10), count_up(1, 10));
}

TEST_P(LinkContract, RetentionIsTheCreatorsUnlessABindChangesIt) {
  put({"x"});
  EXPECT_EQ(show(world(), at()).retain, "consumed");
  Socket push(world(), ZMQ_PUSH);
  EXPECT_EQ(vtx_connect(world().vtx(), push.get(), at("retain=forever").c_str()), -1);
  EXPECT_EQ(errno, EEXIST) << vtx_last_error();
  EXPECT_EQ(show(world(), at()).retain, "consumed");
  push.bind(at("retain=forever"));
  EXPECT_EQ(show(world(), at()).retain, "forever");
  EXPECT_EQ(vtx_connect(world().vtx(), push.get(), at("retain=consumed").c_str()), -1);
  EXPECT_EQ(errno, EEXIST);
}

}  // namespace
}  // namespace vtx::test
