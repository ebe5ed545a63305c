/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: DEALER, against REP, DEALER and its own mailbox; and which types may not meet.
#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

std::unique_ptr<Socket> dealer(World& world, const std::string& id = {}) {
  auto socket = std::make_unique<Socket>(world, ZMQ_DEALER);
  if (!id.empty()) socket->set(ZMQ_ROUTING_ID, id);
  return socket;
}

TEST_P(LinkContract, DealersTalkToEachOther) {
  const auto one = dealer(world());
  one->bind(at());
  const auto other = dealer(world());
  other->connect(at());
  other->send_each(count_up(1, 100));
  one->send(Frames{"several", "", "frames"});
  EXPECT_EQ(one->receive(100), count_up(1, 100));
  EXPECT_EQ(other->receive_frames(), (Frames{"several", "", "frames"}));
  EXPECT_TRUE(drained("up/default"));
  EXPECT_TRUE(drained("down/default"));
}

TEST_P(LinkContract, DealersOfOneSideShareAndNeverHearEachOther) {
  const auto first = dealer(world());
  first->connect(at("prefetch=1"));
  const auto second = dealer(world());
  second->connect(at("prefetch=1"));
  first->send("not for the other");
  first->flush();
  EXPECT_TRUE(second->receives_nothing());
  const auto binder = dealer(world());
  binder->bind(at());
  EXPECT_EQ(binder->receive(), "not for the other");
  binder->send_each(count_up(1, 2));
  Message held_by_first;
  Message held_by_second;
  ASSERT_TRUE(first->receive(held_by_first));
  ASSERT_TRUE(second->receive(held_by_second));
  EXPECT_NE(held_by_first.text(), held_by_second.text());
}

TEST_P(LinkContract, ADealerAsksManyQuestionsAtOnce) {
  Socket rep(world(), ZMQ_REP);
  rep.bind(at());
  const auto asker = dealer(world());
  asker->connect(at());
  for (int i = 1; i <= 20; ++i) asker->send(Frames{"", std::to_string(i)});
  for (int i = 1; i <= 20; ++i) {
    const std::string request = rep.receive();
    EXPECT_EQ(request, std::to_string(i));
    rep.send("re " + request);
  }
  for (int i = 1; i <= 20; ++i) EXPECT_EQ(asker->receive_frames(), (Frames{"", "re " + std::to_string(i)}));
}

TEST_P(LinkContract, ADealerWithANameGetsItsAnswersWhenItIsBack) {
  {
    const auto asker = dealer(world(), "desk 7");
    asker->connect(at());
    asker->send(Frames{"", "question"});
    asker->flush();
  }
  {
    Socket rep(world(), ZMQ_REP);
    rep.bind(at());
    EXPECT_EQ(rep.receive(), "question");
    rep.send("answer");
    rep.flush();
  }
  restart();
  const auto asker = dealer(world(), "desk 7");
  asker->connect(at());
  EXPECT_EQ(asker->receive_frames(), (Frames{"", "answer"}));
}

TEST_P(LinkContract, WhatComesByTheMailboxConfirmsWhatCameBefore) {
  Socket router(world(), ZMQ_ROUTER);
  router.connect(at());
  const auto worker = dealer(world(), "worker");
  worker->bind(at("ack=next"));
  Socket sender(world(), ZMQ_DEALER);
  sender.connect(at());
  sender.send("from the stream");
  EXPECT_EQ(worker->receive(), "from the stream");
  EXPECT_TRUE(wait_until([&] { return router.look() >= 0 && group("up/default").claimed == 1; }));
  router.send(Frames{"worker", "from the mailbox"});
  EXPECT_EQ(worker->receive(), "from the mailbox");
  EXPECT_TRUE(drained("up/default"));
}

TEST_P(LinkContract, OneNameOneDealer) {
  const auto first = dealer(world(), "same");
  first->connect(at());
  const auto second = dealer(world(), "same");
  EventLog events(world(), *second);
  second->connect(at());
  const auto waits = events.wait(VTX_EVENT, VTX_EVENT_TROUBLE);
  ASSERT_TRUE(waits);
  EXPECT_NE(waits->sentence.find("'same' is in use"), std::string::npos) << waits->sentence;
  first->close();
  EXPECT_TRUE(events.wait(ZMQ_EVENT_CONNECTED));
}

TEST_P(LinkContract, TheProbeOfADealerIsNoMessage) {
  const auto one = dealer(world());
  one->set(ZMQ_PROBE_ROUTER, 1).connect(at());
  one->send("first");
  const auto other = dealer(world());
  other->bind(at());
  EXPECT_EQ(other->receive(), "first");
}

TEST_P(LinkContract, ADealerWithTwoStoresSharesOutAndHearsBoth) {
  const auto one = dealer(world());
  one->connect(at());
  one->connect(at_queue("other"));
  const auto left = dealer(world());
  left->bind(at());
  const auto right = dealer(world());
  right->bind(at_queue("other"));
  one->send_each(count_up(1, 2));
  EXPECT_TRUE(left->receive_frames());
  EXPECT_TRUE(right->receive_frames());
  left->send("from the left");
  EXPECT_EQ(one->receive(), "from the left");
  right->send("from the right");
  EXPECT_EQ(one->receive(), "from the right");
}

struct Meeting {
  int here, there;
};

TEST_P(LinkContract, TypesThatCannotTalkAreRefused) {
  constexpr Meeting kNever[] = {{ZMQ_REQ, ZMQ_REQ},    {ZMQ_REP, ZMQ_REP},     {ZMQ_REQ, ZMQ_DEALER},
                                {ZMQ_REP, ZMQ_ROUTER}, {ZMQ_PAIR, ZMQ_DEALER}, {ZMQ_REP, ZMQ_PAIR}};
  int number = 0;
  for (const auto& [here, there] : kNever) {
    const std::string endpoint = at_queue("meeting" + std::to_string(++number));
    Socket first(world(), here);
    first.connect(endpoint);
    Socket second(world(), there);
    EXPECT_EQ(vtx_bind(world().vtx(), second.get(), endpoint.c_str()), -1) << number;
    EXPECT_EQ(errno, EEXIST);
    EXPECT_NE(std::string(vtx_last_error()).find("cannot talk"), std::string::npos) << vtx_last_error();
  }
}

}  // namespace
}  // namespace vtx::test
