/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: what consumers at work notice when an operator moves or drops their group.
#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

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
