/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: the log. What is published stays, and is read from wherever a subscriber wants to begin, by any number of them, without
// a gap or a repeat where history goes over to what is live; a named subscription is a cursor that outlives its socket.
#include <set>
#include <thread>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

// --- readers ---------------------------------------------------------------------------------------------------------

TEST_P(LinkContract, ASubscriberGetsWhatIsPublishedAfterItCame) {
  Socket pub(world(), ZMQ_PUB);
  pub.bind(at());
  pub.send("before");
  pub.flush();
  Subscriber sub(world());
  sub.connect(at());
  pub.send_each({"a", "b"});
  EXPECT_EQ(sub.receive(2), (Frames{"a", "b"}));
  EXPECT_TRUE(sub.receives_nothing());
}

TEST_P(LinkContract, EverySubscriberGetsEverything) {
  Socket pub(world(), ZMQ_PUB);
  pub.bind(at());
  Subscriber one(world()), two(world());
  one.connect(at());
  two.connect(at());
  pub.send_each(count_up(1, 100));
  EXPECT_EQ(one.receive(100), count_up(1, 100));
  EXPECT_EQ(two.receive(100), count_up(1, 100));
}

TEST_P(LinkContract, AReaderBeginsWhereItsEndpointSays) {
  publish(count_up(1, 10));
  EXPECT_EQ(read("from=oldest", 10), count_up(1, 10));
  EXPECT_EQ(read("from=seq:8", 3), count_up(8, 10));
  EXPECT_EQ(read("from=-1h", 10), count_up(1, 10));
  EXPECT_EQ(read("from=time:2020-01-01T00:00:00Z", 10), count_up(1, 10));
  Subscriber late(world());
  late.connect(at("from=time:2199-01-01T00:00:00Z"));
  Subscriber now(world());
  now.connect(at("from=now"));
  publish({"new"});
  EXPECT_EQ(now.receive(), "new");
}

TEST_P(LinkContract, AReaderLeavesNothingBehind) {
  publish({"a", "b"});
  EXPECT_EQ(read("from=oldest", 2), (Frames{"a", "b"}));
  const QueueView queue = show(world(), at());
  EXPECT_TRUE(queue.groups.empty());
  EXPECT_EQ(queue.messages, 2U);
  EXPECT_EQ(queue.retain, "7d");
}

TEST_P(LinkContract, HistoryGoesOverToLiveWithoutGapOrRepeat) {
  const int count = 6000;
  publish(count_up(1, count / 2), "durability=async");
  Subscriber sub(world());
  EventLog events(world(), sub);
  sub.set(ZMQ_RCVHWM, 50).connect(at("from=oldest&prefetch=100"));
  std::thread publisher([&] { publish(count_up(count / 2 + 1, count), "durability=async"); });
  EXPECT_EQ(sub.receive(count), count_up(1, count));
  publisher.join();
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_CAUGHT_UP));
  publish({"live"});
  EXPECT_EQ(sub.receive(), "live");
  EXPECT_FALSE(events.wait(VTX_EVENT, VTX_EVENT_CAUGHT_UP, Ms{20})) << "told once";
}

TEST_P(LinkContract, ASlowReaderHoldsNobodyUpAndHasBoundedMemory) {
  Subscriber slow(world());
  slow.set(ZMQ_RCVHWM, 5).connect(at("prefetch=20"));
  publish(count_up(1, 1000));
  EXPECT_EQ(read("from=oldest", 1000), count_up(1, 1000));
  EXPECT_LE(slow.stats().in_hand, 20U);
  EXPECT_EQ(slow.stats().depth, 1000 - slow.stats().delivered);
  EXPECT_EQ(slow.receive(1000), count_up(1, 1000));
}

TEST_P(LinkContract, MessagesHeldDoNotKeepAReaderOrItsStoreFromEnding) {
  publish({"a", "b", "c"});
  Message held;
  {
    Subscriber sub(world());
    sub.connect(at("from=oldest"));
    ASSERT_TRUE(sub.receive(held));
  }
  EXPECT_EQ(held.text(), "a");
  world().destroy();
  EXPECT_EQ(held.text(), "a");
}

// --- filters ---------------------------------------------------------------------------------------------------------

TEST_P(LinkContract, SubscriptionsArePrefixesOfTheFirstFrame) {
  {
    Socket pub(world(), ZMQ_PUB);
    pub.connect(at());
    pub.send(Frames{"a.1", "x"});
    pub.send(Frames{"b.1", "a"});
    pub.send(std::string_view("a"));
    pub.send(std::string_view(""));
    pub.send(Frames{"ab", ""});
    pub.flush();
  }
  Subscriber sub(world(), {"a", "b.1.9"});
  sub.connect(at("from=oldest"));
  EXPECT_EQ(sub.receive_frames(), (Frames{"a.1", "x"}));
  EXPECT_EQ(sub.receive_frames(), (Frames{"a"}));
  EXPECT_EQ(sub.receive_frames(), (Frames{"ab", ""}));
  EXPECT_TRUE(sub.reaches(&vtx_stats_t::filtered, 2));
}

TEST_P(LinkContract, WithoutSubscriptionNothingComes) {
  publish({"a"});
  Subscriber sub(world(), {});
  sub.connect(at("from=oldest"));
  EXPECT_TRUE(sub.receives_nothing());
  EXPECT_EQ(sub.stats().filtered, 0U);
  sub.subscribe("a");
  EXPECT_EQ(sub.receive(), "a");
}

TEST_P(LinkContract, SubscriptionsChangeOnTheWay) {
  Socket pub(world(), ZMQ_PUB);
  pub.connect(at());
  Subscriber sub(world(), {"a"});
  sub.connect(at());
  pub.send_each({"a1", "b1"});
  EXPECT_EQ(sub.receive(), "a1");
  EXPECT_TRUE(sub.reaches(&vtx_stats_t::filtered, 1));
  sub.subscribe("b");
  sub.unsubscribe("a");
  // libzmq carries a change along in its own time.
  EXPECT_TRUE(wait_until([&] {
    pub.send_each({"a2", "b2"});
    pub.flush();
    return sub.receive_frames(Ms{50}) == Frames{"b2"};
  }));
}

TEST_P(LinkContract, SubscribesWhileThePipeIsFull) {
  for (const std::string options : {"from=oldest", "subscription=s&from=oldest&ack=manual"}) {
    Subscriber sub(world(), {"a"});
    sub.set(ZMQ_RCVHWM, 4).connect(at(options));
    Frames sent = count_up(1, 60);
    for (std::string& text : sent) text = "a" + text;
    publish(sent);
    ASSERT_TRUE(wait_until([&] { return sub.stats().delivered >= 4; }));
    sub.subscribe("b");
    for (int i = 1; i <= 30; ++i) EXPECT_EQ(sub.receive(), "a" + std::to_string(i)) << options;
    publish({"b1", "b2"});
    for (int i = 31; i <= 60; ++i) EXPECT_EQ(sub.receive(), "a" + std::to_string(i)) << options;
    EXPECT_EQ(sub.receive(2), (Frames{"b1", "b2"})) << options;
    sub.close();
    place_ = GetParam().make();
  }
}

TEST_P(LinkContract, ThousandsOfSubscriptionsAreAllHeard) {
  Subscriber sub(world(), {});
  for (int i = 1; i <= 3000; ++i) sub.subscribe("topic " + std::to_string(i) + ".");
  sub.connect(at());
  publish({"topic 1.", "topic 2999.", "topic 3000."});
  EXPECT_EQ(sub.receive(3), (Frames{"topic 1.", "topic 2999.", "topic 3000."}));
}

TEST_P(LinkContract, WhatADurableSubscriptionPassesOverCostsFewClaims) {
  {
    Subscriber first(world(), {"b"});
    first.connect(at("subscription=s"));
    first.close();
  }
  Frames texts = count_up(1, 5000);
  texts.push_back("b");
  publish(texts, "durability=async");
  // All of it is there by now: how many claims it takes is not a matter of who is faster.
  Subscriber sub(world(), {"b"});
  sub.connect(at("subscription=s"));
  EXPECT_EQ(sub.receive(), "b");
  EXPECT_LT(sub.stats().claims, 100U);
  EXPECT_TRUE(drained("s"));
}

TEST_P(LinkContract, AnXsubSubscribesByMessage) {
  publish({"a", "b"});
  Socket xsub(world(), ZMQ_XSUB);
  xsub.connect(at("from=oldest"));
  xsub.send(
      std::string_view("\x01"
                       "b"));
  EXPECT_EQ(xsub.receive(), "b");
}

// --- publishers ------------------------------------------------------------------------------------------------------

TEST_P(LinkContract, APublisherWithPlainSubscribersServesBoth) {
  Socket pub(world(), ZMQ_PUB);
  pub.bind(at());
  Subscriber plain(world()), stored(world());
  join_plainly(pub, plain);
  stored.connect(at());
  pub.send("x");
  EXPECT_EQ(plain.receive(), "x");
  EXPECT_EQ(stored.receive(), "x");
}

TEST_P(LinkContract, AStuckPlainSubscriberBlocksTheWholePublisher) {
  Socket pub(world(), ZMQ_PUB);
  pub.set(ZMQ_SNDHWM, 5).bind(at());
  Subscriber stuck(world());
  stuck.set(ZMQ_RCVHWM, 5);
  join_plainly(pub, stuck);
  int sent = 0;
  const auto send = [&] {
    if (sent == 100 || !pub.try_send(std::to_string(sent + 1))) return false;
    ++sent;
    return true;
  };
  do {  // until it blocks although the store has taken everything
    while (send()) {
    }
    pub.flush();
    pub.look();
  } while (send());
  EXPECT_EQ(sent, 10) << "both marks of the plain pipe";
  pub.set(ZMQ_SNDTIMEO, 50);
  EXPECT_EQ(zmq_send(pub.get(), "", 0, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(read("from=oldest", sent), count_up(1, sent));
  pub.set(ZMQ_SNDTIMEO, -1);
  std::thread blocked([&] { pub.send_each(count_up(sent + 1, 100)); });
  EXPECT_EQ(stuck.receive(100), count_up(1, 100));
  blocked.join();
  pub.flush();
  EXPECT_EQ(read("from=oldest", 100), count_up(1, 100));
}

TEST_P(LinkContract, AnXpubSeesTheStoreSubscribe) {
  Socket xpub(world(), ZMQ_XPUB);
  xpub.connect(at());
  EXPECT_EQ(xpub.receive(), std::string("\x01"));
  xpub.send("x");
  xpub.flush();
  EXPECT_EQ(read("from=oldest", 1), Frames{"x"});
}

TEST_P(LinkContract, WhatWasPublishedBeforeAPlainCloseIsKept) {
  Socket pub(world(), ZMQ_PUB);
  pub.connect(at());
  pub.send_each(count_up(1, 50));
  pub.close_plainly();
  EXPECT_EQ(read("from=oldest", 50), count_up(1, 50));
}

TEST_P(LinkContract, OptionsThatAStoreCannotGoAlongWithAreRefused) {
  Socket manual(world(), ZMQ_XPUB);
  manual.set(ZMQ_XPUB_MANUAL, 1);
  EXPECT_EQ(vtx_bind(world().vtx(), manual.get(), at().c_str()), -1);
  EXPECT_EQ(errno, ENOTSUP);
  EXPECT_NE(std::string(vtx_last_error()).find("ZMQ_XPUB_MANUAL"), std::string::npos) << vtx_last_error();
  Socket inverted(world(), ZMQ_SUB);
  inverted.set(ZMQ_INVERT_MATCHING, 1);
  EXPECT_EQ(vtx_connect(world().vtx(), inverted.get(), at().c_str()), -1);
  EXPECT_EQ(errno, ENOTSUP);
  Socket reader(world(), ZMQ_SUB);
  EXPECT_EQ(vtx_connect(world().vtx(), reader.get(), at("ack=manual").c_str()), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_NE(std::string(vtx_last_error()).find("subscription=NAME"), std::string::npos) << vtx_last_error();
}

// --- durable subscriptions -------------------------------------------------------------------------------------------

TEST_P(LinkContract, ADurableSubscriptionGoesOnWhereItWas) {
  {
    Subscriber sub(world());
    sub.connect(at("subscription=s"));
    publish({"a", "b"});
    EXPECT_EQ(sub.receive(2), (Frames{"a", "b"}));
    EXPECT_TRUE(drained("s"));
  }
  publish({"while away"});
  restart();
  EXPECT_EQ(read("subscription=s", 1), Frames{"while away"});
  EXPECT_TRUE(drained("s"));
}

TEST_P(LinkContract, ANewDurableSubscriptionBeginsNowOrWhereItsEndpointSays) {
  publish({"old"});
  Subscriber now(world()), all(world());
  now.connect(at("subscription=now"));
  all.connect(at("subscription=all&from=oldest"));
  publish({"new"});
  EXPECT_EQ(now.receive(), "new");
  EXPECT_EQ(all.receive(2), (Frames{"old", "new"}));
}

TEST_P(LinkContract, ADurableSubscriptionClaimsNothingBeforeItsFirstFilter) {
  Subscriber sub(world(), {});
  sub.connect(at("subscription=s"));
  publish({"a1", "b1", "a2"});
  EXPECT_TRUE(sub.receives_nothing());
  EXPECT_EQ(group("s").claimed, 0U);
  EXPECT_EQ(group("s").depth, 3U);
  sub.subscribe("a");
  EXPECT_EQ(sub.receive(2), (Frames{"a1", "a2"}));
  EXPECT_TRUE(drained("s")) << "what does not match is passed over";
  EXPECT_TRUE(sub.reaches(&vtx_stats_t::filtered, 1));
}

TEST_P(LinkContract, MembersOfADurableSubscriptionCompete) {
  Subscriber one(world()), two(world());
  one.connect(at("subscription=s&prefetch=1")).set(ZMQ_RCVTIMEO, 20);
  two.connect(at("subscription=s&prefetch=1")).set(ZMQ_RCVTIMEO, 20);
  publish(count_up(1, 100));
  std::multiset<std::string> got;
  ASSERT_TRUE(wait_until([&] {
    for (Socket* sub : {static_cast<Socket*>(&one), static_cast<Socket*>(&two)})
      if (auto frames = sub->receive_frames(Ms{5})) got.insert(frames->front());
    return got.size() >= 100;
  }));
  const Frames sent = count_up(1, 100);
  EXPECT_EQ(got, std::multiset<std::string>(sent.begin(), sent.end()));
  EXPECT_TRUE(drained("s"));
}

TEST_P(LinkContract, WhatADurableSubscriberHadNotReceivedComesAgainAfterAPlainClose) {
  Subscriber sub(world());
  sub.connect(at("subscription=s"));
  publish({"a", "b", "c"});
  EXPECT_EQ(sub.receive(), "a");
  EXPECT_TRUE(sub.reaches(&vtx_stats_t::delivered, 3));
  EXPECT_TRUE(sub.reaches(&vtx_stats_t::settled, 1));
  sub.close_plainly();
  EXPECT_EQ(read("subscription=s", 2), (Frames{"b", "c"}));
  EXPECT_TRUE(drained("s"));
}

TEST_P(LinkContract, ADurableSubscriberThatUnsubscribesLeavesTheRestToOthers) {
  Subscriber sub(world());
  sub.set(ZMQ_RCVHWM, 1).connect(at("subscription=s"));
  publish(count_up(1, 20));
  EXPECT_EQ(sub.receive(), "1");
  sub.unsubscribe("");
  EXPECT_TRUE(wait_until([&] {
    zmq_pollitem_t item{sub.get(), 0, ZMQ_POLLIN, 0};
    (void)zmq_poll(&item, 1, 1);  // libzmq works when it is called
    return group("s").claimed <= 2;
  })) << "what was not handed over is given back";
  Subscriber other(world());
  other.connect(at("subscription=s"));
  EXPECT_TRUE(other.receive_frames());
}

TEST_P(LinkContract, NacksAndDeadLettersOfADurableSubscription) {
  Subscriber sub(world());
  sub.connect(at("subscription=s&ack=manual&max_deliveries=2"));
  publish({"bad"});
  for (int delivery = 1; delivery <= 2; ++delivery) {
    Message message;
    ASSERT_TRUE(sub.receive(message));
    EXPECT_EQ(message.text(), "bad");
    EXPECT_EQ(vtx_nack(world().vtx(), message.get(), 0), 0) << vtx_last_error();
  }
  EXPECT_TRUE(wait_until([&] { return show(world(), at()).dead == 1; }));
  EXPECT_EQ(dead_letters(world(), at()).at(0).group, "s");
}

// --- the end ---------------------------------------------------------------------------------------------------------

TEST_P(LinkContract, AClosedSubscriberLeavesNoLink) {
  publish({"a", "b"});
  for (const bool plainly : {true, false}) {
    for (const std::string options : {"from=oldest", "subscription=s&from=oldest"}) {
      for (const Frames& prefixes : {Frames{""}, Frames{}}) {
        Subscriber sub(world(), prefixes);
        EventLog events(world(), sub);
        sub.connect(at(options));
        if (!prefixes.empty()) {
          EXPECT_TRUE(wait_until([&] { return sub.stats().delivered > 0; }));
        }
        plainly ? sub.close_plainly() : sub.close();
        EXPECT_TRUE(wait_until([&] { return !sub.has_link(); })) << options;
      }
    }
  }
}

TEST_P(LinkContract, ASubscriberThatDisconnectsKeepsItsOtherEndpoints) {
  Subscriber sub(world());
  ASSERT_EQ(zmq_bind(sub.get(), "inproc://other"), 0);
  sub.connect(at());
  sub.disconnect(at());
  publish({"unseen"});
  Socket pub(world(), ZMQ_PUB);
  ASSERT_EQ(zmq_connect(pub.get(), "inproc://other"), 0);
  EXPECT_TRUE(wait_until([&] {
    pub.send("seen");
    return sub.receive_frames(Ms{20}) == Frames{"seen"};
  }));
}

}  // namespace
}  // namespace vtx::test
