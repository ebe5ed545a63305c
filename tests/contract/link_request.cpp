/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: REQ and REP. A request waits for a worker, is worked on until its reply is stored, and is answered once, to its own asker.
#include <map>
#include <set>
#include <thread>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

/// Answers what comes, each request with "TEXT!", until told to stop.
class Worker {
 public:
  explicit Worker(World& world, const std::string& endpoint) : rep_(world, ZMQ_REP) {
    rep_.bind(endpoint);
    thread_ = std::thread([this] {
      while (!stop_)
        if (const auto request = rep_.receive_frames(Ms{50})) rep_.send(request->front() + "!");
    });
  }
  ~Worker() {
    stop_ = true;
    thread_.join();
  }

 private:
  Socket rep_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// A REQ that others can address again after a restart.
std::unique_ptr<Socket> asker(World& world, const std::string& endpoint, const std::string& id = {}) {
  auto req = std::make_unique<Socket>(world, ZMQ_REQ);
  if (!id.empty()) req->set(ZMQ_ROUTING_ID, id);
  req->connect(endpoint);
  return req;
}

TEST_P(LinkContract, ARequestIsAnswered) {
  Socket rep(world(), ZMQ_REP);
  rep.bind(at());
  const auto req = asker(world(), at());
  for (const std::string text : {"one", "two", "three"}) {
    req->send(text);
    EXPECT_EQ(rep.receive(), text);
    rep.send("re: " + text);
    EXPECT_EQ(req->receive(), "re: " + text);
  }
  req->send(Frames{"several", "", "frames"});
  EXPECT_EQ(rep.receive_frames(), (Frames{"several", "", "frames"}));
  rep.send(Frames{"", "back", ""});
  EXPECT_EQ(req->receive_frames(), (Frames{"", "back", ""}));
  EXPECT_TRUE(drained("up/default"));
  EXPECT_TRUE(rep.reaches(&vtx_stats_t::settled, 4));
}

TEST_P(LinkContract, ARequestWaitsForAWorkerAndAReplyForItsAsker) {
  auto req = asker(world(), at(), "desk 1");
  req->send("later");
  req->flush();
  EXPECT_EQ(group("up/default").depth, 0U) << "nobody has come to work yet";
  Socket rep(world(), ZMQ_REP);
  rep.bind(at());
  EXPECT_EQ(rep.receive(), "later");
  rep.send("at last");
  EXPECT_EQ(req->receive(), "at last");
}

TEST_P(LinkContract, EitherSideMayBind) {
  Socket req(world(), ZMQ_REQ);
  req.bind(at());
  Socket rep(world(), ZMQ_REP);
  rep.connect(at());
  req.send("?");
  EXPECT_EQ(rep.receive(), "?");
  rep.send("!");
  EXPECT_EQ(req.receive(), "!");
  Socket same_side(world(), ZMQ_REP);
  EXPECT_EQ(vtx_bind(world().vtx(), same_side.get(), at().c_str()), -1) << "the other REP could not talk to it";
}

TEST_P(LinkContract, EachReplyGoesToItsOwnAsker) {
  constexpr int kAskers = 5;
  constexpr int kRounds = 40;
  Worker one(world(), at());
  Worker two(world(), at());
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < kAskers; ++i) {
    threads.emplace_back([&, i] {
      const auto req = asker(world(), at());
      for (int round = 0; round < kRounds; ++round) {
        const std::string text = std::to_string(i) + "/" + std::to_string(round);
        req->send(text);
        if (req->receive() == text + "!") ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, kAskers * kRounds);
}

TEST_P(LinkContract, AWorkerThatClosesWithARequestLeavesItToAnother) {
  const auto req = asker(world(), at());
  for (const bool plainly : {false, true}) {
    Socket lost(world(), ZMQ_REP);
    lost.bind(at());
    req->send("work");
    EXPECT_EQ(lost.receive(), "work");  // and let go of: that is no answer
    plainly ? lost.close_plainly() : lost.close();
    Socket rep(world(), ZMQ_REP);
    rep.bind(at("properties=on"));
    const auto again = rep.receive_frames();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->front(), "work");
    EXPECT_NE(again->back().find("Deliveries: 2"), std::string::npos) << "it was received: " << again->back();
    rep.send(Frames{"done", ""});
    EXPECT_EQ(req->receive(), "done");
  }
}

TEST_P(LinkContract, WhatAWorkerHasNotReceivedIsNotCounted) {
  Socket first(world(), ZMQ_REP);
  first.bind(at());
  const auto req = asker(world(), at());
  req->send("work");
  ASSERT_TRUE(first.reaches(&vtx_stats_t::in_hand, 1));
  first.close();
  Socket rep(world(), ZMQ_REP);
  rep.bind(at("properties=on"));
  const auto again = rep.receive_frames();
  ASSERT_TRUE(again);
  EXPECT_NE(again->back().find("Deliveries: 1\n"), std::string::npos) << again->back();
}

TEST_P(LinkContract, AReplyIsStoredThoughItsWorkerClosesAtOnce) {
  const auto req = asker(world(), at());
  for (const bool plainly : {false, true}) {
    req->send("work");
    Socket rep(world(), ZMQ_REP);
    rep.bind(at());
    EXPECT_EQ(rep.receive(), "work");
    rep.send("done");
    plainly ? rep.close_plainly() : rep.close();
    EXPECT_EQ(req->receive(), "done");
  }
  EXPECT_TRUE(drained("up/default"));
}

TEST_P(LinkContract, ARestartedAskerSeesNoOldReply) {
  auto req = asker(world(), at(), "desk");
  req->send("old");
  req->flush();
  req->close();
  Worker worker(world(), at());
  ASSERT_TRUE(wait_until([&] { return group("mailbox:desk/default").depth == 1; })) << "the reply waits for its asker";
  req = asker(world(), at(), "desk");
  req->send("new");
  EXPECT_EQ(req->receive(), "new!");
  EXPECT_TRUE(req->reaches(&vtx_stats_t::filtered, 1));
  EXPECT_TRUE(drained("mailbox:desk/default"));
}

TEST_P(LinkContract, AnAskerSurvivesARestartOfTheWorld) {
  {
    const auto req = asker(world(), at(), "desk");
    req->send("before");
    req->flush();
  }
  restart();
  Worker worker(world(), at());
  const auto req = asker(world(), at(), "desk");
  req->send("after");
  EXPECT_EQ(req->receive(), "after!");
}

TEST_P(LinkContract, TheMailboxOfAnAnonymousAskerGoesWithIt) {
  Socket rep(world(), ZMQ_REP);
  rep.bind(at());
  for (const bool plainly : {false, true}) {
    const auto req = asker(world(), at());
    req->send("who asks?");
    EXPECT_EQ(rep.receive(), "who asks?");
    plainly ? req->close_plainly() : req->close();
    rep.send("nobody");
    rep.flush();
    // In its mailbox or not, as fast as the end of the link was.
    EXPECT_TRUE(wait_until([&] { return show(world(), at()).counters["undeliverable"] == (plainly ? 2U : 1U); }));
  }
  for (const auto& [name, group] : show(world(), at()).groups) EXPECT_EQ(name, "up/default");
}

TEST_P(LinkContract, CorrelatedRequestsAreAnswered) {
  Worker worker(world(), at());
  Socket req(world(), ZMQ_REQ);
  req.set(ZMQ_REQ_CORRELATE, 1);
  req.connect(at());
  for (const std::string text : {"a", "b"}) {
    req.send(text);
    EXPECT_EQ(req.receive(), text + "!");
  }
}

TEST_P(LinkContract, ARelaxedAskerGetsTheAnswerToItsLastRequest) {
  Socket req(world(), ZMQ_REQ);
  req.set(ZMQ_REQ_RELAXED, 1).set(ZMQ_REQ_CORRELATE, 1);
  req.connect(at());
  req.send("first");
  req.flush();
  req.send("second");
  req.flush();
  Worker worker(world(), at());
  EXPECT_EQ(req.receive(), "second!");
  EXPECT_TRUE(req.reaches(&vtx_stats_t::filtered, 1));
}

TEST_P(LinkContract, OneNameHasOneHolder) {
  const auto elsewhere = open();
  Worker worker(world(), at());
  auto first = asker(world(), at(), "desk");
  for (World* other : {&world(), elsewhere.get()}) {
    auto second = std::make_unique<Socket>(*other, ZMQ_REQ);
    second->set(ZMQ_ROUTING_ID, "desk");
    EventLog events(*other, *second);
    second->connect(at());
    const auto told = events.wait(VTX_EVENT, VTX_EVENT_TROUBLE);
    ASSERT_TRUE(told);
    EXPECT_NE(told->sentence.find("'desk'"), std::string::npos) << told->sentence;
    second->send("second");
    EXPECT_TRUE(second->receives_nothing());
    first->send("first");
    EXPECT_EQ(first->receive(), "first!");
    first->close();
    EXPECT_EQ(second->receive(), "second!");
    first = std::move(second);
  }
}

TEST_P(LinkContract, ANameIsFreeWhenItsLinkHasEnded) {
  Worker worker(world(), at());
  for (int i = 0; i < 20; ++i) {
    const auto req = asker(world(), at(), "desk");
    req->send("again");
    EXPECT_EQ(req->receive(), "again!");
  }
  const auto other = open();
  const auto req = asker(*other, at(), "desk");
  req->send("elsewhere");
  EXPECT_EQ(req->receive(), "elsewhere!");
}

TEST_P(LinkContract, AnAskerThatClosesBeforeItHasItsNameEnds) {
  auto other = open();
  auto first = asker(*other, at(), "desk");
  {
    Socket hasty(world(), ZMQ_REQ);
    hasty.set(ZMQ_ROUTING_ID, "desk").set(ZMQ_LINGER, 0);
    EventLog events(world(), hasty);
    hasty.connect(at());
    ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
    hasty.send("never stored");
    hasty.close();
    EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_LINGER_EXPIRED));
  }
  {
    Socket patient(world(), ZMQ_REQ);
    patient.set(ZMQ_ROUTING_ID, "desk");
    EventLog events(world(), patient);
    patient.connect(at());
    ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
    patient.send("stored when the name is free");
    patient.close();
    first->close();
    EXPECT_TRUE(events.wait(ZMQ_EVENT_CLOSED));
  }
  Socket rep(world(), ZMQ_REP);
  rep.bind(at());
  EXPECT_EQ(rep.receive(), "stored when the name is free");
}

TEST_P(LinkContract, ABusyWorkerTakesNoMoreThanOthersCouldDo) {
  Socket busy(world(), ZMQ_REP);
  busy.bind(at());
  std::vector<std::unique_ptr<Socket>> askers;
  for (int i = 0; i < 5; ++i) {
    askers.push_back(asker(world(), at()));
    askers.back()->send(std::to_string(i));
    if (i == 0) {
      EXPECT_EQ(busy.receive(), "0");
    }
  }
  // Long enough for a consumer that collects to be given more.
  EXPECT_TRUE(askers[0]->receives_nothing(Ms{600}));
  EXPECT_LE(busy.stats().in_hand, 2U);
  Worker worker(world(), at());
  for (int i = 2; i < 5; ++i) EXPECT_EQ(askers[static_cast<std::size_t>(i)]->receive(), std::to_string(i) + "!");
}

TEST_P(LinkContract, PropertiesOfRequestsAndReplies) {
  Socket rep(world(), ZMQ_REP);
  rep.bind(at("properties=on"));
  const auto req = asker(world(), at("properties=on"), "desk/1");
  req->send(Frames{"ask", "Content-Type: text/plain\nReply-To: another\n"});
  const auto request = rep.receive_frames();
  ASSERT_TRUE(request);
  ASSERT_EQ(request->size(), 2U);
  EXPECT_EQ(request->front(), "ask");
  EXPECT_NE(request->back().find("Content-Type: text/plain\n"), std::string::npos) << request->back();
  EXPECT_NE(request->back().find("Reply-To: desk%2F1\n"), std::string::npos) << request->back();
  EXPECT_EQ(request->back().find("another"), std::string::npos) << request->back();
  rep.send(Frames{"answer", "Status: fine\n"});
  const auto reply = req->receive_frames();
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->size(), 2U);
  EXPECT_EQ(reply->front(), "answer");
  EXPECT_NE(reply->back().find("Status: fine\n"), std::string::npos) << reply->back();
  // A request of one frame has no block, whatever its text looks like.
  req->send("Ttl: 1ms\n");
  const auto bare = rep.receive_frames();
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->front(), "Ttl: 1ms\n");
}

TEST_P(LinkContract, ARequestHeldTooLongGoesToAnotherAndItsLateReplyNowhere) {
  const auto req = asker(world(), at());
  Socket slow(world(), ZMQ_REP);
  slow.bind(at("hold=100ms"));
  req->send("work");
  EXPECT_EQ(slow.receive(), "work");
  Socket rep(world(), ZMQ_REP);
  rep.bind(at());
  EXPECT_EQ(rep.receive(), "work");
  slow.send("too late");
  EXPECT_TRUE(slow.reaches(&vtx_stats_t::dropped, 1));
  rep.send("in time");
  EXPECT_EQ(req->receive(), "in time");
  EXPECT_TRUE(drained("up/default"));
}

TEST_P(LinkContract, ARequestThatCrashesItsWorkersIsDeadLettered) {
  const auto req = asker(world(), at());
  req->send("poison");
  for (int i = 0; i < 2; ++i) {
    Socket rep(world(), ZMQ_REP);
    rep.bind(at("max_deliveries=2"));
    EXPECT_EQ(rep.receive(), "poison");
  }
  ASSERT_TRUE(wait_until([&] { return show(world(), at()).dead == 1; }));
  EXPECT_EQ(dead_letters(world(), at()).front().group, "up/default");
  EXPECT_EQ(steer(world(), at(), "dead requeue all"), 1);
  Worker worker(world(), at());
  EXPECT_EQ(req->receive(), "poison!");
}

TEST_P(LinkContract, ManyAnonymousAskersLeaveNothing) {
  Worker worker(world(), at());
  for (int i = 0; i < 100; ++i) {
    const auto req = asker(world(), at());
    req->send(std::to_string(i));
    EXPECT_EQ(req->receive(), std::to_string(i) + "!");
  }
  const QueueView view = show(world(), at());
  EXPECT_EQ(view.groups.size(), 1U);
  EXPECT_TRUE(wait_until([&] { return show(world(), at()).messages == 0; }));
}

}  // namespace
}  // namespace vtx::test
