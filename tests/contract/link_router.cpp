/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: ROUTER. Peers are told apart by their routing ids, and have mail while they are away.
#include <thread>

#include <set>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

std::unique_ptr<Socket> peer(World& world, int type, const std::string& id, const std::string& endpoint) {
  auto socket = std::make_unique<Socket>(world, type);
  if (!id.empty()) socket->set(ZMQ_ROUTING_ID, id);
  socket->connect(endpoint);
  return socket;
}

/// Sends a message as the application of a ROUTER does; errno when it is refused, 0 else.
int route(Socket& router, const Frames& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
    if (zmq_send(router.get(), frames[i].data(), frames[i].size(), more | ZMQ_DONTWAIT) < 0) return zmq_errno();
  }
  return 0;
}

TEST_P(LinkContract, ARouterTellsItsPeersApart) {
  Socket router(world(), ZMQ_ROUTER);
  router.bind(at());
  const auto ann = peer(world(), ZMQ_DEALER, "ann", at());
  const auto bob = peer(world(), ZMQ_DEALER, "bob / 2", at());
  ann->send("from ann");
  EXPECT_EQ(router.receive_frames(), (Frames{"ann", "from ann"}));
  bob->send(Frames{"from", "bob"});
  EXPECT_EQ(router.receive_frames(), (Frames{"bob / 2", "from", "bob"}));
  router.send(Frames{"bob / 2", "to bob"});
  router.send(Frames{"ann", "to", "ann"});
  EXPECT_EQ(bob->receive(), "to bob");
  EXPECT_EQ(ann->receive_frames(), (Frames{"to", "ann"}));
  EXPECT_TRUE(drained("up/default"));
}

TEST_P(LinkContract, ARouterAnswersRequests) {
  Socket router(world(), ZMQ_ROUTER);
  router.bind(at());
  const auto req = peer(world(), ZMQ_REQ, "", at());
  for (int i = 0; i < 3; ++i) {
    req->send("question");
    const auto request = router.receive_frames();
    ASSERT_TRUE(request);
    ASSERT_EQ(request->size(), 3U);
    EXPECT_EQ((*request)[1], "");
    EXPECT_EQ((*request)[2], "question");
    router.send(Frames{(*request)[0], "", "answer"});
    EXPECT_EQ(req->receive(), "answer");
  }
}

TEST_P(LinkContract, APeerGetsItsMailWhenItIsBack) {
  (void)peer(world(), ZMQ_DEALER, "van 3", at());
  Socket router(world(), ZMQ_ROUTER);
  router.set(ZMQ_ROUTER_MANDATORY, 1).bind(at());
  EXPECT_EQ(route(router, {"van 3", "one"}), 0) << "known since it has attached once";
  EXPECT_EQ(route(router, {"van 3", "two"}), 0);
  EXPECT_EQ(route(router, {"van 4", "nobody"}), EHOSTUNREACH);
  router.close();
  restart();
  const auto back = peer(world(), ZMQ_DEALER, "van 3", at());
  EXPECT_EQ(back->receive(2), (Frames{"one", "two"}));
}

TEST_P(LinkContract, ARouterHearsOfAPeerThatHasSentNothing) {
  Socket router(world(), ZMQ_ROUTER);
  router.set(ZMQ_ROUTER_MANDATORY, 1).bind(at());
  const auto here = peer(world(), ZMQ_DEALER, "here", at());
  EXPECT_TRUE(wait_until([&] { return route(router, {"here", "welcome"}) == 0; }));
  EXPECT_EQ(here->receive(), "welcome");
  const auto elsewhere = open();  // as another process
  const auto there = peer(*elsewhere, ZMQ_DEALER, "there", at());
  EXPECT_TRUE(wait_until([&] { return route(router, {"there", "welcome"}) == 0; }));
  EXPECT_EQ(there->receive(), "welcome");
}

TEST_P(LinkContract, RoutersTalkToEachOther) {
  Socket one(world(), ZMQ_ROUTER);
  one.set(ZMQ_ROUTING_ID, "one").set(ZMQ_ROUTER_MANDATORY, 1).bind(at());
  const auto other = peer(world(), ZMQ_ROUTER, "other", at());
  EXPECT_TRUE(wait_until([&] { return route(one, {"other", "hello"}) == 0; }));
  EXPECT_EQ(other->receive_frames(), (Frames{"one", "hello"}));
  other->send(Frames{"one", "and", "back"});
  EXPECT_EQ(one.receive_frames(), (Frames{"other", "and", "back"}));
}

TEST_P(LinkContract, AMessageToAPeerThatHasGoneIsCounted) {
  Socket router(world(), ZMQ_ROUTER);
  router.bind(at());
  std::string identity;
  {
    const auto passer = peer(world(), ZMQ_DEALER, "", at());
    passer->send("hello");
    const auto message = router.receive_frames();
    ASSERT_TRUE(message);
    identity = message->front();
  }
  EXPECT_EQ(route(router, {identity, "too late"}), 0);
  EXPECT_TRUE(router.reaches(&vtx_stats_t::undeliverable, 1));
  EXPECT_EQ(show(world(), at()).counters["undeliverable"], 1U);
  // And then it is unknown, as every other.
  router.set(ZMQ_ROUTER_MANDATORY, 1);
  EXPECT_TRUE(wait_until([&] { return route(router, {identity, "too late"}) == EHOSTUNREACH; }));
}

TEST_P(LinkContract, AnOldAnswerOfARouterIsNotTakenForTheNewOne) {
  Socket router(world(), ZMQ_ROUTER);
  router.bind(at());
  auto req = peer(world(), ZMQ_REQ, "desk", at());
  req->send("old question");
  const auto old = router.receive_frames();
  ASSERT_TRUE(old);
  req.reset();
  req = peer(world(), ZMQ_REQ, "desk", at());
  req->send("new question");
  const auto recent = router.receive_frames();
  ASSERT_TRUE(recent);
  router.send(Frames{old->front(), "", "old answer"});
  router.flush();
  EXPECT_TRUE(req->receives_nothing());
  router.send(Frames{recent->front(), "", "new answer"});
  EXPECT_EQ(req->receive(), "new answer");
}

TEST_P(LinkContract, ARelaxedRequestIsAnsweredByItsOwnReply) {
  Socket router(world(), ZMQ_ROUTER);
  router.bind(at());
  Socket req(world(), ZMQ_REQ);
  req.set(ZMQ_REQ_RELAXED, 1).set(ZMQ_REQ_CORRELATE, 1).connect(at());
  req.send("first");
  const auto first = router.receive_frames();  // identity, request id, delimiter, request
  ASSERT_TRUE(first);
  req.send("second");
  const auto second = router.receive_frames();
  ASSERT_TRUE(second);
  router.send(Frames{first->front(), (*first)[1], "", "answer to the first"});
  router.flush();
  EXPECT_TRUE(req.receives_nothing());
  router.send(Frames{second->front(), (*second)[1], "", "answer to the second"});
  EXPECT_EQ(req.receive(), "answer to the second");
}

TEST_P(LinkContract, ARouterMayLeaveAQueueAndComeBack) {
  const auto ann = peer(world(), ZMQ_DEALER, "ann", at());
  Socket router(world(), ZMQ_ROUTER);
  router.set(ZMQ_ROUTER_MANDATORY, 1);
  for (int i = 0; i < 3; ++i) {
    router.bind(at());
    EXPECT_EQ(route(router, {"ann", "hello"}), 0) << i;
    EXPECT_EQ(ann->receive(), "hello");
    ann->send("back");
    EXPECT_EQ(router.receive_frames(), (Frames{"ann", "back"}));
    EXPECT_EQ(vtx_unbind(world().vtx(), router.get(), at().c_str()), 0);
    EXPECT_EQ(route(router, {"ann", "nobody"}), EHOSTUNREACH) << i;
  }
}

/// The peer is heard by its own name, and can be addressed by it. What else is still to come is passed over.
void expect_at_hand(Socket& router, Socket& peer, const std::string& name) {
  peer.send("anew");
  std::optional<Frames> message;
  do {
    message = router.receive_frames();
    ASSERT_TRUE(message) << name << " is heard of no more";
  } while (*message != Frames{name, "anew"});
  EXPECT_EQ(route(router, {name, "hello"}), 0);
  EXPECT_EQ(peer.receive(), "hello");
}

/// libzmq keeps an identity for its pipe until all that is in it has been read.
TEST_P(LinkContract, ARouterThatComesBackWithSomethingUnreadHasItsPeersAgain) {
  for (const std::string options : {"ack=release", "ack=none", "ack=manual", "hold=20ms&max_deliveries=1"}) {
    SCOPED_TRACE(options);
    const auto ann = peer(world(), ZMQ_DEALER, "ann", at());
    Socket router(world(), ZMQ_ROUTER);
    router.set(ZMQ_ROUTER_MANDATORY, 1).bind(at(options));
    ann->send_each(count_up(1, 3));
    EXPECT_EQ(router.receive_frames(), (Frames{"ann", "1"}));
    ASSERT_TRUE(wait_until([&] { return router.stats().delivered == 3; }));
    if (options.starts_with("hold")) {
      ASSERT_TRUE(wait_until([&] { return show(world(), at()).dead >= 2; }));
    }
    EXPECT_EQ(vtx_unbind(world().vtx(), router.get(), at(options).c_str()), 0);
    router.bind(at());
    expect_at_hand(router, *ann, "ann");
  }
}

TEST_P(LinkContract, ARouterThatComesBackLaterHasItsPeersAgain) {
  const auto ann = peer(world(), ZMQ_DEALER, "ann", at());
  ann->send_each(count_up(1, 3));
  Socket router(world(), ZMQ_ROUTER);
  router.set(ZMQ_ROUTER_MANDATORY, 1).bind(at());
  EXPECT_EQ(router.receive_frames(), (Frames{"ann", "1"}));
  ASSERT_TRUE(wait_until([&] { return router.stats().delivered == 3; }));
  EXPECT_EQ(vtx_unbind(world().vtx(), router.get(), at().c_str()), 0);
  router.bind(at_queue("another"));
  router.bind(at());
  expect_at_hand(router, *ann, "ann");
}

/// Each has an identity of its own, which is made when it is handed over.
TEST_P(LinkContract, ARouterThatComesBackHasTheRequestsOfAPeerThatAskedMoreThanOnce) {
  Socket desk(world(), ZMQ_REQ);
  desk.set(ZMQ_ROUTING_ID, "desk").set(ZMQ_REQ_RELAXED, 1).set(ZMQ_REQ_CORRELATE, 1).connect(at());
  Socket router(world(), ZMQ_ROUTER);
  router.set(ZMQ_ROUTER_MANDATORY, 1).bind(at("ack=manual"));
  std::set<std::string> before;
  for (const std::string question : {"first", "second", "third"}) {
    desk.send(question);
    ASSERT_TRUE(router.reaches(&vtx_stats_t::delivered, before.size() + 1));
    if (question == "third") break;  // which stays unread
    const auto message = router.receive_frames();
    ASSERT_TRUE(message);
    before.insert(message->front());
  }
  EXPECT_EQ(before.size(), 2U);
  EXPECT_EQ(vtx_unbind(world().vtx(), router.get(), at("ack=manual").c_str()), 0);
  router.bind(at());
  std::optional<Frames> third;
  for (int heard = 0; heard < 4; ++heard) {  // three that come again, and what was unread
    const auto message = router.receive_frames();
    ASSERT_TRUE(message) << heard;
    // What was unread comes from an identity that libzmq makes up, which begins with a zero byte.
    if (message->back() == "third" && message->front().starts_with("desk")) third = message;
  }
  ASSERT_TRUE(third);
  third->back() = "answer to the third";
  EXPECT_EQ(route(router, *third), 0);
  EXPECT_EQ(desk.receive(), "answer to the third");
}

TEST_P(LinkContract, APlainPeerHasTheIdentityOfOneOfTheStoreOnlyAfterAnUnbindWithSomethingUnread) {
  for (const bool unread : {false, true}) {
    SCOPED_TRACE(unread);
    const auto ann = peer(world(), ZMQ_DEALER, "ann", at());
    Socket router(world(), ZMQ_ROUTER);
    router.set(ZMQ_ROUTER_MANDATORY, 1).bind(at());
    ann->send("1");
    ASSERT_TRUE(router.reaches(&vtx_stats_t::delivered, 1));
    if (!unread) {
      EXPECT_EQ(router.receive_frames(), (Frames{"ann", "1"}));
    }
    EXPECT_EQ(vtx_unbind(world().vtx(), router.get(), at().c_str()), 0);
    router.bind(at());
    expect_at_hand(router, *ann, "ann");
    router.bind("inproc://plain");
    const auto plain = peer(world(), ZMQ_DEALER, "ann", "inproc://plain");
    plain->send("from the plain one");
    if (unread) {
      EXPECT_EQ(router.receive_frames(), (Frames{"ann", "from the plain one"}));
      EXPECT_EQ(route(router, {"ann", "to the plain one"}), 0);
      EXPECT_EQ(plain->receive(), "to the plain one");
    } else {
      expect_at_hand(router, *ann, "ann");
      EXPECT_TRUE(router.receives_nothing());
    }
  }
}

TEST_P(LinkContract, ARouterThatDropsSendsOneMessageOfAnySize) {
  const auto ann = peer(world(), ZMQ_DEALER, "ann", at());
  Socket router(world(), ZMQ_ROUTER);
  router.bind(at());
  const std::string large((64U << 20U) + 1, 'x');  // more than may wait together
  router.send(Frames{"ann", large});
  EXPECT_TRUE(ann->receive() == large);
  EXPECT_EQ(router.stats().dropped, 0U);
}

TEST_P(LinkContract, TheProbeOfARouterIsNoMessage) {
  const auto ann = peer(world(), ZMQ_DEALER, "ann", at());
  Socket router(world(), ZMQ_ROUTER);
  router.set(ZMQ_PROBE_ROUTER, 1).bind(at());
  router.send(Frames{"ann", "first"});
  EXPECT_EQ(ann->receive(), "first");
  ann->send("back");
  EXPECT_EQ(router.receive_frames(), (Frames{"ann", "back"}));
}

TEST_P(LinkContract, WhatARouterHasNotReceivedComesAgain) {
  const auto ann = peer(world(), ZMQ_DEALER, "ann", at());
  ann->send_each(count_up(1, 3));
  ann->flush();
  for (const int way : {0, 1, 2}) {
    Socket router(world(), ZMQ_ROUTER);
    router.bind(at());
    ASSERT_TRUE(wait_until([&] { return router.stats().delivered >= 3; }));
    if (way == 0) router.close();
    if (way == 1) router.close_plainly();
    if (way == 2) vtx_unbind(world().vtx(), router.get(), at().c_str());
    EXPECT_TRUE(wait_until([&] { return group("up/default").claimed == 0; })) << way;
  }
  Socket router(world(), ZMQ_ROUTER);
  router.bind(at("properties=on"));
  for (int i = 1; i <= 3; ++i) {
    const auto message = router.receive_frames();
    ASSERT_TRUE(message);
    EXPECT_EQ((*message)[1], std::to_string(i));
    EXPECT_NE(message->back().find("Deliveries: 1\n"), std::string::npos) << message->back();
  }
}

TEST_P(LinkContract, WhatARouterHasSentIsStoredThoughItCloses) {
  const auto ann = peer(world(), ZMQ_DEALER, "ann", at());
  for (const bool plainly : {false, true}) {
    Socket router(world(), ZMQ_ROUTER);
    router.bind(at());
    for (int i = 1; i <= 200; ++i) router.send(Frames{"ann", std::to_string(i)});
    plainly ? router.close_plainly() : router.close();
    EXPECT_EQ(ann->receive(200), count_up(1, 200));
  }
}

TEST_P(LinkContract, ABlockingRouterWaitsForAPeersMark) {
  const auto ann = peer(world(), ZMQ_DEALER, "ann", at());
  Socket router(world(), ZMQ_ROUTER);
  router.set(ZMQ_SNDHWM, 10).bind(at("full=block"));
  std::thread sender([&] {
    for (int i = 1; i <= 2000; ++i) router.send(Frames{"ann", std::to_string(i)});
  });
  EXPECT_EQ(ann->receive(2000), count_up(1, 2000));
  sender.join();
  EXPECT_EQ(route(router, {"nobody", "?"}), EHOSTUNREACH) << "ZMQ_ROUTER_MANDATORY is set";
}

TEST_P(LinkContract, AReaderMayReadAnyStream) {
  Socket router(world(), ZMQ_ROUTER);
  router.bind(at());
  const auto ann = peer(world(), ZMQ_DEALER, "ann 1", at());
  ann->send("up");
  EXPECT_EQ(router.receive_frames(), (Frames{"ann 1", "up"}));
  Subscriber mailbox(world());
  mailbox.connect(at("log=peer:ann%201&from=oldest"));
  Subscriber up(world());
  up.connect(at("log=up"));
  router.send(Frames{"ann 1", "mail"});
  EXPECT_EQ(mailbox.receive(), "mail");
  EXPECT_EQ(ann->receive(), "mail") << "a reader takes nothing away";
  ann->send("up again");
  EXPECT_EQ(up.receive(), "up again");
  Subscriber nobody(world());
  EXPECT_EQ(vtx_connect(world().vtx(), nobody.get(), at("log=peer:bob").c_str()), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_NE(std::string(vtx_last_error()).find("'bob'"), std::string::npos) << vtx_last_error();
  EXPECT_EQ(vtx_connect(world().vtx(), nobody.get(), at("log=up&subscription=s").c_str()), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_P(LinkContract, PeersBeyondTheLimitsAreRefusedAndWait) {
  constexpr int kPeers = 30;
  const auto few = open(20);
  auto router = std::make_unique<Socket>(*few, ZMQ_ROUTER);
  EventLog events(*few, *router);
  router->bind(at());
  std::vector<std::unique_ptr<Socket>> peers;
  for (int i = 0; i < kPeers; ++i) {
    peers.push_back(peer(world(), ZMQ_DEALER, "peer" + std::to_string(i), at()));
    peers.back()->send("ask");
    peers.back()->flush();
  }
  const auto refused = events.wait(VTX_EVENT, VTX_EVENT_PEER_REFUSED);
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->sentence.find("ZMQ_MAX_SOCKETS"), std::string::npos) << refused->sentence;
  EXPECT_NE(refused->sentence.find("ulimit -n"), std::string::npos) << refused->sentence;
  std::set<std::string> heard;
  while (const auto question = router->receive_frames(Ms{500})) heard.insert(question->front());
  EXPECT_GT(heard.size(), 2U);
  EXPECT_LT(heard.size(), static_cast<std::size_t>(kPeers));
  router.reset();
  Socket other(world(), ZMQ_ROUTER);
  other.bind(at());
  while (heard.size() < kPeers && !HasFailure()) {
    const auto question = other.receive_frames();
    ASSERT_TRUE(question);
    heard.insert(question->front());
  }
}

TEST_P(LinkContract, WhatAPeerBeyondTheLimitsSentToWhoHasSettledItAlreadyIsCounted) {
  constexpr int kPeers = 30;
  const auto few = open(20);
  Socket router(*few, ZMQ_ROUTER);
  EventLog events(*few, router);
  router.bind(at("ack=none"));
  for (int i = 0; i < kPeers; ++i) peer(world(), ZMQ_DEALER, "peer" + std::to_string(i), at())->send("tell");
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_REFUSED));
  std::uint64_t heard = 0;
  EXPECT_TRUE(wait_until([&] {
    while (router.receive_frames(Ms{0})) ++heard;
    return heard + show(world(), at()).counters["refused"] == kPeers;
  }));
  EXPECT_GT(heard, 2U);
  EXPECT_EQ(router.stats().dropped, kPeers - heard);
}

TEST_P(LinkContract, ManyPeersOfOneRouter) {
  constexpr int kPeers = 60;
  Socket router(world(), ZMQ_ROUTER);
  router.bind(at());
  std::vector<std::unique_ptr<Socket>> peers;
  for (int i = 0; i < kPeers; ++i) {
    peers.push_back(peer(world(), ZMQ_DEALER, "peer" + std::to_string(i), at()));
    peers.back()->send("ask");
  }
  for (int i = 0; i < kPeers; ++i) {
    const auto question = router.receive_frames();
    ASSERT_TRUE(question);
    router.send(Frames{question->front(), "for " + question->front()});
  }
  for (int i = 0; i < kPeers; ++i)
    EXPECT_EQ(peers[static_cast<std::size_t>(i)]->receive(), "for peer" + std::to_string(i));
}

}  // namespace
}  // namespace vtx::test
