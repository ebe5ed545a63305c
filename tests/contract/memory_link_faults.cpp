/* SPDX-License-Identifier: MPL-2.0 */
//
// Links on a store that fails: full, away, or silent about a commit. What was sent is neither lost nor doubled, the
// sender blocks at its high-water mark, and each trouble and its end is an event.
#include <thread>

#include "contract/faulty_links.hpp"

namespace vtx::test {
namespace {

TEST_F(FaultyLinks, FullStoreBlocksTheSenderAndGoesOnWhenThereIsSpace) {
  Socket push(world_, ZMQ_PUSH);
  EventLog events(world_, push);
  push.set(ZMQ_SNDHWM, 10).connect(at());
  faults_->set_full(true);
  push.send("1");
  const auto trouble = events.wait(VTX_EVENT, VTX_EVENT_TROUBLE);
  ASSERT_TRUE(trouble);
  EXPECT_NE(trouble->sentence.find("full"), std::string::npos) << trouble->sentence;
  Frames sent{"1"};
  while (push.try_send(std::to_string(sent.size() + 1))) sent.push_back(std::to_string(sent.size() + 1));
  EXPECT_GE(sent.size(), 10U);
  EXPECT_LE(sent.size(), 13U) << "the mark bounds what waits";
  push.set(ZMQ_SNDTIMEO, 50);
  EXPECT_EQ(zmq_send(push.get(), "", 0, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(vtx_flush(world_.vtx(), push.get(), 50), -1);
  EXPECT_EQ(errno, ENOSPC) << vtx_last_error();
  faults_->set_full(false);
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_RECOVERED));
  push.set(ZMQ_SNDTIMEO, static_cast<int>(kPatience.count()));
  sent.push_back("last");
  push.send("last");
  push.flush();
  expect_all(sent);
}

TEST_F(FaultyLinks, MessageThatTheStoreCannotTakeIsDroppedAloneAndTold) {
  faults_->set_longest(10);
  Socket push(world_, ZMQ_PUSH);
  EventLog events(world_, push);
  push.connect(at());
  faults_->set_full(true);  // so that they share a commit
  push.send("blocks");
  ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
  for (const char* text : {"a", "far too long for it", "b", "so is this one", "c"}) push.send(text);
  faults_->set_full(false);
  EXPECT_EQ(vtx_flush(world_.vtx(), push.get(), static_cast<int>(kPatience.count())), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_NE(std::string(vtx_last_error()).find("too long"), std::string::npos) << vtx_last_error();
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_REFUSED));
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_REFUSED));
  push.flush();
  EXPECT_EQ(push.stats().dropped, 2U);
  EXPECT_EQ(push.stats().durable, 4U);
  expect_all({"blocks", "a", "b", "c"});
}

TEST_F(FaultyLinks, ARefusedMessageIsCountedInTheStore) {
  faults_->set_longest(10);
  {
    Socket push(world_, ZMQ_PUSH);
    push.connect(at());
    push.send("far too long for it");
    EXPECT_EQ(vtx_flush(world_.vtx(), push.get(), static_cast<int>(kPatience.count())), -1);
    EXPECT_EQ(push.stats().refused, 1U);
    push.send("and so is this one, which is told when the link ends");
  }
  EXPECT_TRUE(wait_until([&] { return show(world_, at()).counters["refused"] == 2; }));
}

TEST_F(FaultyLinks, FlushInTimeOrEagain) {
  Socket push(world_, ZMQ_PUSH);
  EventLog events(world_, push);
  push.connect(at());
  faults_->refuse_start(Status(Code::busy, "somebody else holds it"));
  faults_->lose_session();
  ASSERT_TRUE(events.wait(ZMQ_EVENT_DISCONNECTED));
  push.send("x");
  EXPECT_EQ(vtx_flush(world_.vtx(), push.get(), 30), -1);
  EXPECT_EQ(errno, EAGAIN) << vtx_last_error();
  EXPECT_NE(push.stats().state, static_cast<std::uint32_t>(VTX_STATE_LIVE));
  faults_->refuse_start({});
  push.flush();
  EXPECT_EQ(push.stats().state, static_cast<std::uint32_t>(VTX_STATE_LIVE));
  expect_all({"x"});
}

TEST_F(FaultyLinks, CommitInDoubtIsNeitherLostNorDoubled) {
  for (const bool applied : {true, false}) {
    Socket push(world_, ZMQ_PUSH);
    push.set(ZMQ_RECONNECT_IVL, 1).connect(at());
    push.send("first");
    push.flush();
    faults_->lose_answer(1, applied);
    push.send("second");
    push.send("third");
    push.flush();
    EXPECT_EQ(push.stats().durable, 3U);
  }
  expect_all({"first", "second", "third", "first", "second", "third"});
}

TEST_F(FaultyLinks, SettlementInDoubtIsNotRepeated) {
  for (const bool applied : {true, false}) {
    Socket push(world_, ZMQ_PUSH);
    push.connect(at());
    push.send_each({"a", "b"});
    push.flush();
    Socket pull(world_, ZMQ_PULL);
    EventLog events(world_, pull);
    pull.set(ZMQ_RECONNECT_IVL, 1).connect(at());
    Message a;
    ASSERT_TRUE(pull.receive(a));
    faults_->lose_answer(1, applied);
    a.release();
    EXPECT_EQ(pull.receive(), "b");
    EXPECT_TRUE(wait_until([&] { return show(world_, at()).groups["default"].depth == 0; }));
    EXPECT_EQ(pull.stats().redelivered, 0U);
    EXPECT_TRUE(pull.reaches(&vtx_stats_t::settled, 2));
    EXPECT_EQ(pull.stats().fenced, 0U);
  }
}

TEST_F(FaultyLinks, LostSessionsLoseNothing) {
  Socket push(world_, ZMQ_PUSH);
  Socket pull(world_, ZMQ_PULL);
  push.set(ZMQ_RECONNECT_IVL, 1).connect(at());
  pull.connect(at());
  const int count = 2000;
  std::thread sender([&] { push.send_each(count_up(1, count)); });
  Frames got;
  for (int i = 0; i < 10; ++i) {
    for (const std::string& text : pull.receive(count / 10)) got.push_back(text);
    faults_->lose_session();
  }
  sender.join();
  EXPECT_EQ(got, count_up(1, count));
  EXPECT_TRUE(wait_until([&] { return show(world_, at()).groups["default"].depth == 0; }));
  EXPECT_TRUE(pull.receives_nothing());
}

TEST_F(FaultyLinks, MessageHeldThroughALostSessionIsSettledAfterIt) {
  Socket push(world_, ZMQ_PUSH);
  push.connect(at());
  push.send("x");
  Socket pull(world_, ZMQ_PULL);
  EventLog events(world_, pull);
  pull.set(ZMQ_RECONNECT_IVL, 1).connect(at());
  Message held;
  ASSERT_TRUE(pull.receive(held));
  faults_->lose_session();
  ASSERT_TRUE(events.wait(ZMQ_EVENT_DISCONNECTED));
  ASSERT_TRUE(events.wait(ZMQ_EVENT_CONNECTED));
  held.release();
  EXPECT_TRUE(wait_until([&] { return show(world_, at()).groups["default"].depth == 0; }));
  EXPECT_EQ(pull.stats().redelivered, 0U);
}

TEST_F(FaultyLinks, LostClaimsAndFailedOperationsAreTriedAgain) {
  faults_->fail<driver::ClaimNext>(1, Status(Code::busy, "not now"));
  faults_->fail<driver::OpenGroup>(1, Status(Code::busy, "not now"));
  faults_->fail<driver::OpenStream>(1, Status(Code::busy, "not now"));
  faults_->fail<driver::Commit>(1, Status(Code::busy, "not now"));
  faults_->fail<driver::Beat>(1, Status(Code::busy, "not now"));
  Socket push(world_, ZMQ_PUSH);
  push.connect(at());
  push.send("x");
  expect_all({"x"});
}

TEST_F(FaultyLinks, LinkToAStoreThatIsAwayWaits) {
  faults_->lose_openings(3);
  Socket push(world_, ZMQ_PUSH);
  EventLog events(world_, push);
  push.set(ZMQ_RECONNECT_IVL, 10).connect(at());
  push.send("x");
  EXPECT_TRUE(events.wait(ZMQ_EVENT_CONNECTED));
  push.flush();
  expect_all({"x"});
}

TEST_F(FaultyLinks, AnImmediateSocketSendsNothingBeforeTheStoreIsThere) {
  for (const int type : {ZMQ_PUSH, ZMQ_PUB}) {
    faults_->lose_openings(1'000'000);
    Socket sender(world_, type);
    EventLog events(world_, sender);
    sender.set(ZMQ_IMMEDIATE, 1).set(ZMQ_RECONNECT_IVL, 10).connect(at("retain=consumed"));
    EXPECT_TRUE(type == ZMQ_PUB || !sender.try_send("too early"));
    faults_->lose_openings(0);
    EXPECT_TRUE(events.wait(ZMQ_EVENT_CONNECTED));
    EXPECT_TRUE(wait_until([&] { return sender.try_send("x") && sender.stats().taken > 0; }));
    sender.flush();
    Socket pull(world_, ZMQ_PULL);
    pull.connect(at());
    EXPECT_EQ(pull.receive(), "x");
  }
}

TEST_F(FaultyLinks, TheProbeOfAnImmediateDealerIsNoMessage) {
  faults_->lose_openings(1'000'000);
  Socket dealer(world_, ZMQ_DEALER);
  EventLog events(world_, dealer);
  dealer.set(ZMQ_PROBE_ROUTER, 1).set(ZMQ_IMMEDIATE, 1).set(ZMQ_RECONNECT_IVL, 10).connect(at());
  faults_->lose_openings(0);
  EXPECT_TRUE(events.wait(ZMQ_EVENT_CONNECTED));
  dealer.send("first");
  Socket other(world_, ZMQ_DEALER);
  other.bind(at());
  EXPECT_EQ(other.receive(), "first");
}

TEST_F(FaultyLinks, AnImmediateSocketMayBeClosedBeforeTheStoreIsThere) {
  faults_->lose_openings(1'000'000);
  Socket push(world_, ZMQ_PUSH);
  push.set(ZMQ_IMMEDIATE, 1).set(ZMQ_RECONNECT_IVL, 10).connect(at());
  push.disconnect(at());
  EXPECT_FALSE(push.has_link());
  push.connect(at());
  push.close();
  faults_->lose_openings(0);
}

TEST_F(FaultyLinks, ARouterDropsWhatIsTooMuchAndSaysSo) {
  constexpr int kMark = 10;
  constexpr int kTooMany = 5;
  Socket ann(world_, ZMQ_DEALER);
  ann.set(ZMQ_ROUTING_ID, "ann").connect(at());
  Socket router(world_, ZMQ_ROUTER);
  EventLog events(world_, router);
  router.set(ZMQ_SNDHWM, kMark).bind(at());
  faults_->set_full(true);
  router.send(Frames{"ann", "0"});  // which finds that out
  ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
  for (int i = 1; i < kMark + kTooMany; ++i) router.send(Frames{"ann", std::to_string(i)});
  EXPECT_TRUE(router.reaches(&vtx_stats_t::dropped, kTooMany));
  const auto told = events.wait(VTX_EVENT, VTX_EVENT_REFUSED);
  ASSERT_TRUE(told);
  EXPECT_NE(told->sentence.find("'ann'"), std::string::npos) << told->sentence;
  faults_->set_full(false);
  EXPECT_EQ(ann.receive(kMark), count_up(0, kMark - 1));
  router.send(Frames{"ann", "again"});
  EXPECT_EQ(ann.receive(), "again");
}

/// Hears "text" from ann, who is known then and gets an answer.
void expect_ann(Socket& router, Socket& ann, const std::string& text) {
  std::optional<Frames> message;
  do {
    message = router.receive_frames();
    ASSERT_TRUE(message) << "ann is heard of no more";
  } while (*message != Frames{"ann", text});
  router.send(Frames{"ann", "answer"});
  EXPECT_EQ(ann.receive(), "answer");
}

TEST_F(FaultyLinks, ARouterThatComesBackBeforeTheStoreHasItsPeersAgain) {
  Socket ann(world_, ZMQ_DEALER);
  ann.set(ZMQ_ROUTING_ID, "ann").set(ZMQ_RECONNECT_IVL, 1).connect(at());
  ann.send_each({"1", "2"});
  Socket router(world_, ZMQ_ROUTER);
  EventLog events(world_, router);
  router.set(ZMQ_RECONNECT_IVL, 1).bind(at());
  EXPECT_EQ(router.receive_frames(), (Frames{"ann", "1"}));
  ASSERT_TRUE(router.reaches(&vtx_stats_t::delivered, 2));
  EXPECT_EQ(vtx_unbind(world_.vtx(), router.get(), at().c_str()), 0);
  faults_->refuse_start(Status(Code::busy, "away"));
  faults_->lose_session();
  router.bind(at());  // which returns without the store
  EXPECT_TRUE(events.wait(ZMQ_EVENT_CONNECT_DELAYED));
  faults_->refuse_start({});
  ann.send("3");
  expect_ann(router, ann, "3");
}

TEST_F(FaultyLinks, ARouterThatComesBackWhileItsOldLinkLingersHasItsPeersAgain) {
  Socket ann(world_, ZMQ_DEALER);
  ann.set(ZMQ_ROUTING_ID, "ann").connect(at());
  Socket router(world_, ZMQ_ROUTER);
  EventLog events(world_, router);
  router.bind(at());
  faults_->set_full(true);
  router.send(Frames{"ann", "old"});
  ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
  EXPECT_EQ(vtx_unbind(world_.vtx(), router.get(), at().c_str()), 0);
  router.bind(at());
  faults_->set_full(false);
  EXPECT_EQ(ann.receive(), "old");
  ann.send("new");
  expect_ann(router, ann, "new");
}

TEST_F(FaultyLinks, WhatWaitingCannotCureFailsTheCall) {
  faults_->refuse_start(Status(Code::denied, "the directory may not be written: change its permissions"));
  Socket push(world_, ZMQ_PUSH);
  EXPECT_EQ(vtx_connect(world_.vtx(), push.get(), at().c_str()), -1);
  EXPECT_EQ(errno, EACCES);
  EXPECT_NE(std::string(vtx_last_error()).find("permissions"), std::string::npos);
  EXPECT_FALSE(push.has_link());
  faults_->refuse_start({});
  push.connect(at());
  push.send("x");
  expect_all({"x"});
}

TEST_F(FaultyLinks, APatternOutlivesALinkThatFailsWhenNobodyWaitsForItAnyMore) {
  faults_->refuse_start(Status(Code::denied, "the directory may not be written: change its permissions"));
  faults_->slow_start(Ms{2000});  // vtx_connect waits for half as long
  Socket push(world_, "socket=dealer&streams=main&in=none");
  push.connect(at());
  EXPECT_TRUE(wait_until([&] { return !push.has_link() && (push.look() & ZMQ_POLLOUT) == 0; })) << "it has no pipe";
  faults_->refuse_start({});
  faults_->slow_start(Ms{0});
  push.connect(at());
  push.send("x");
  expect_all({"x"});
}

// --- linger ----------------------------------------------------------------------------------------------------------

TEST_F(FaultyLinks, LingerThatEndsDropsAndSaysHowMany) {
  for (const int linger : {0, 100}) {
    Socket push(world_, ZMQ_PUSH);
    EventLog events(world_, push);
    push.set(ZMQ_LINGER, linger).connect(at());
    faults_->set_full(true);
    push.send("1");
    ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
    push.send_each({"2", "3"});
    push.disconnect(at());
    const auto expired = events.wait(VTX_EVENT, VTX_EVENT_LINGER_EXPIRED);
    ASSERT_TRUE(expired) << linger;
    EXPECT_EQ(expired->sentence.substr(0, 2), "3 ") << expired->sentence;
    EXPECT_TRUE(wait_until([&] { return !push.has_link(); }));
    push.close();
    faults_->set_full(false);
  }
  EXPECT_EQ(show(world_, at()).head, 0U);
}

TEST_F(FaultyLinks, LingerWithoutEndWaitsForSpace) {
  Socket push(world_, ZMQ_PUSH);
  push.set(ZMQ_LINGER, -1).connect(at());
  faults_->set_full(true);
  push.send_each(count_up(1, 100));
  push.close();
  std::thread space([&] {
    std::this_thread::sleep_for(Ms{100});
    faults_->set_full(false);
  });
  world_.destroy();
  space.join();
  World again("memory", vtx_memory_driver);
  EXPECT_EQ(show(again, at()).head, 100U);
}

TEST_F(FaultyLinks, DestroyDoesNotWaitForAStoreThatIsAwayBeyondLinger) {
  Socket push(world_, ZMQ_PUSH);
  Socket pull(world_, ZMQ_PULL);
  EventLog events(world_, pull);
  push.set(ZMQ_LINGER, 50).connect(at());
  push.send("x");
  push.flush();
  pull.connect(at());
  Message held;
  ASSERT_TRUE(pull.receive(held));
  faults_->refuse_start(Status(Code::busy, "away"));
  faults_->lose_session();
  ASSERT_TRUE(events.wait(ZMQ_EVENT_DISCONNECTED));
  push.send("y");
  world_.destroy();  // returns, or the test runs into its time limit
  held.release();
  push.close_plainly();
  pull.close_plainly();
}

TEST_F(FaultyLinks, WhoLeavesCeasesToWait) {
  Socket one(world_, ZMQ_PULL);
  one.connect(at());
  {
    Socket two(world_, ZMQ_PULL);
    two.connect(at());
  }
  EXPECT_TRUE(wait_until([&] { return faults_->seen<driver::ClaimNext>() > 0; }));
  EXPECT_EQ(faults_->seen<driver::StopWaiting>(), 0U) << "the other one waits";
  one.close();
  EXPECT_TRUE(wait_until([&] { return faults_->seen<driver::StopWaiting>() == 1; }));
}

}  // namespace
}  // namespace vtx::test
