/* SPDX-License-Identifier: MPL-2.0 */
//
// Request and reply on a store that fails: full, away, or silent about a commit. A request is answered once, or goes to another.
#include "contract/faulty_links.hpp"

namespace vtx::test {
namespace {

class FaultyRequests : public FaultyLinks {
 protected:
  FaultyRequests() {
    rep_.set(ZMQ_RECONNECT_IVL, 1).bind(at("properties=on"));
    req_.set(ZMQ_RECONNECT_IVL, 1).connect(at());
  }
  /// Sends a request; the worker has it when this returns. @return its properties
  std::string ask(const std::string& text) { return ask(rep_, text); }
  std::string ask(Socket& worker, const std::string& text) {
    req_.send(text);
    return work_on(worker, text);
  }
  std::string work_on(Socket& worker, const std::string& text) {
    const auto request = worker.receive_frames();
    EXPECT_TRUE(request && request->front() == text) << text;
    return request ? request->back() : "";
  }
  void answer(Socket& worker, const std::string& text) { worker.send(Frames{text, ""}); }
  void expect_usual() {
    ask("as usual?");
    answer(rep_, "as usual");
    EXPECT_EQ(req_.receive(), "as usual");
    EXPECT_TRUE(wait_until([&] { return show(world_, at()).groups["up/default"].depth == 0; }));
  }

  Socket rep_{world_, ZMQ_REP};
  Socket req_{world_, ZMQ_REQ};
};

TEST_F(FaultyRequests, ARequestInDoubtIsNeitherLostNorDoubled) {
  for (const bool applied : {false, true}) {
    faults_->lose_answer(1, applied);
    ask("work");
    answer(rep_, "done");
    EXPECT_EQ(req_.receive(), "done");
  }
  EXPECT_TRUE(rep_.receives_nothing());
  expect_usual();
}

TEST_F(FaultyRequests, AReplyInDoubtIsNeitherLostNorDoubled) {
  for (const bool applied : {false, true}) {
    ask("work");
    faults_->lose_answer(1, applied);
    answer(rep_, "done");
    EXPECT_EQ(req_.receive(), "done");
  }
  EXPECT_TRUE(rep_.receives_nothing());
  EXPECT_EQ(rep_.stats().dropped, 0U);
  EXPECT_EQ(req_.stats().filtered, 0U);
  expect_usual();
}

TEST_F(FaultyRequests, ASessionLostWhileAWorkerWorksLosesNothing) {
  ask("work");
  faults_->lose_session();
  answer(rep_, "done");
  EXPECT_EQ(req_.receive(), "done");
  expect_usual();
}

TEST_F(FaultyRequests, AReplyWaitsForSpace) {
  EventLog events(world_, rep_);
  ask("work");
  faults_->set_full(true);
  answer(rep_, "done");
  ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
  EXPECT_TRUE(req_.receives_nothing());
  faults_->set_full(false);
  EXPECT_EQ(req_.receive(), "done");
  expect_usual();
}

TEST_F(FaultyRequests, ARequestWhoseReplyTheStoreCannotTakeGoesAgain) {
  EventLog events(world_, rep_);
  faults_->set_longest(20);
  ask("work");
  answer(rep_, "far too long for the store");
  ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_REFUSED));
  const std::string again = work_on(rep_, "work");
  EXPECT_NE(again.find("Deliveries: 2\n"), std::string::npos) << again;
  EXPECT_NE(again.find("Reason: its reply was not stored"), std::string::npos) << again;
  answer(rep_, "short");
  EXPECT_EQ(req_.receive(), "short");
  expect_usual();
}

TEST_F(FaultyRequests, ARequestWhoseReplyWasDroppedByLingerGoesAgain) {
  {
    Socket hasty(world_, ZMQ_REP);
    EventLog events(world_, hasty);
    hasty.set(ZMQ_LINGER, 0).bind(at("properties=on"));
    rep_.close();
    ask(hasty, "work");
    faults_->set_full(true);
    answer(hasty, "never stored");
    ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
    hasty.close();
    ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_LINGER_EXPIRED));
    faults_->set_full(false);
  }
  Socket rep(world_, ZMQ_REP);
  rep.bind(at("properties=on"));
  work_on(rep, "work");
  answer(rep, "done");
  EXPECT_EQ(req_.receive(), "done");
}

TEST_F(FaultyRequests, RequestsOfOneClaimAreAllAccountedForWhenLingerIsOver) {
  std::vector<std::unique_ptr<Socket>> askers;
  for (int i = 0; i < 6; ++i) {
    askers.push_back(std::make_unique<Socket>(world_, ZMQ_REQ));
    askers.back()->connect(at());
  }
  rep_.close();
  for (const auto& one : askers) {
    one->send("work");
    one->flush();
  }
  {
    Socket hasty(world_, ZMQ_REP);
    EventLog events(world_, hasty);
    hasty.set(ZMQ_LINGER, 100).bind(at());
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(hasty.receive(), "work");
      if (i == 1) faults_->set_full(true);
      hasty.send("done");
      if (i == 0) hasty.flush();
    }
    ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
    hasty.close();
    ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_LINGER_EXPIRED));
    faults_->set_full(false);
    EXPECT_TRUE(events.wait(ZMQ_EVENT_CLOSED));
  }
  Socket rep(world_, ZMQ_REP);
  rep.bind(at());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(rep.receive(), "work");
    rep.send("done");
  }
  for (const auto& one : askers) EXPECT_EQ(one->receive(), "done");
  EXPECT_TRUE(rep.receives_nothing());
}

TEST_F(FaultyRequests, AnAskerThatClosesWhileTheStoreIsAwayHasItsRequestStored) {
  faults_->refuse_start(Status(Code::native, "the store is away"));
  faults_->lose_session();
  ASSERT_TRUE(wait_until([&] { return req_.stats().state != VTX_STATE_LIVE; }));
  req_.send("work");
  req_.close();
  faults_->refuse_start({});
  EXPECT_EQ(rep_.receive_frames()->front(), "work");
}

TEST_F(FaultyRequests, DestroyDoesNotWaitForAStoreThatIsAwayWhenNothingIsToBeStored) {
  ask("work");
  faults_->refuse_start(Status(Code::native, "the store is away"));
  faults_->lose_session();
  ASSERT_TRUE(wait_until([&] { return rep_.stats().state != VTX_STATE_LIVE; }));
  rep_.close();
  req_.close();
  world_.destroy();  // must return
}

TEST_F(FaultyRequests, ARefusalEndsTheTroubleBeforeIt) {
  EventLog events(world_, req_);
  faults_->set_longest(30);
  faults_->set_full(true);
  req_.send("far too long for a store that takes so little");
  ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
  faults_->set_full(false);
  ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_REFUSED));
  Socket other(world_, ZMQ_PUSH);
  other.connect(at());
  other.send("short");
  other.flush();
  EXPECT_NE(vtx_flush(world_.vtx(), req_.get(), 1000), ENOSPC);
  EXPECT_EQ(vtx_flush(world_.vtx(), req_.get(), 1000), 0) << vtx_last_error();
}

TEST_F(FaultyRequests, ANameIsTakenAgainAfterALostSession) {
  faults_->lose_session();
  expect_usual();
  faults_->lose_openings(2);
  faults_->lose_session();
  expect_usual();
}

TEST_F(FaultyRequests, AnAskerThatClosesWhileTheStoreIsAwayEnds) {
  ask("work");
  faults_->refuse_start(Status(Code::native, "the store is away"));
  faults_->lose_session();
  ASSERT_TRUE(wait_until([&] { return req_.stats().state != VTX_STATE_LIVE; }));
  req_.set(ZMQ_LINGER, 0);
  req_.close();
  faults_->refuse_start({});
  answer(rep_, "nobody waits");
  rep_.flush();
}

}  // namespace
}  // namespace vtx::test
