/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: sockets whose pattern the application has put together itself do what it says, together with those of the table.
#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

TEST_P(LinkContract, ADealerCanBeWhatPushAndPullAre) {
  Socket push(world(), "socket=dealer&streams=main&in=none");
  push.connect(at());
  push.send_each(count_up(1, 20));
  push.flush();
  Socket pull(world(), ZMQ_PULL);
  pull.bind(at());
  EXPECT_EQ(pull.receive(10), count_up(1, 10));
  pull.close();
  Socket dealer(world(), "socket=dealer&streams=main&out=none");
  dealer.connect(at("prefetch=1"));
  EXPECT_EQ(dealer.receive(10), count_up(11, 20));
}

TEST_P(LinkContract, ADealerCanWorkOnAQueueAndAddToIt) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.send("3");
  Socket worker(world(), "socket=dealer&streams=main");
  worker.connect(at());
  for (int left = 3; left > 0; --left) {
    const auto task = worker.receive();
    EXPECT_EQ(task, std::to_string(left));
    if (left > 1) worker.send(std::to_string(left - 1));
  }
  EXPECT_TRUE(wait_until([&] { return show(world(), at()).messages == 0; }));
}

TEST_P(LinkContract, AWorkerBelongsToTheGroupThatItNames) {
  Socket worker(world(), "socket=dealer&streams=main");
  worker.connect(at("group=mine&groups=mine,others&ack=next&hold=1m&from=oldest"));
  Socket other(world(), ZMQ_PULL);
  other.connect(at("group=others"));
  put({"task"});
  EXPECT_EQ(worker.receive(), "task");
  EXPECT_EQ(other.receive(), "task");
  Socket pair(world(), "socket=dealer&max_peers=1");
  EXPECT_EQ(vtx_connect(world().vtx(), pair.get(), at("group=mine").c_str()), -1);
  EXPECT_NE(std::string(vtx_last_error()).find("option 'group' is for PULL, not for PAIR"), std::string::npos)
      << vtx_last_error();
}

TEST_P(LinkContract, APatternOutlivesALinkThatIsRefused) {
  put({"0"});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(), "0");
  for (int i = 1; i <= 20; ++i) {  // the driver's thread ends the link while the call returns
    Socket push(world(), "socket=dealer&streams=main&in=none");
    EventLog events(world(), push);
    EXPECT_EQ(vtx_connect(world().vtx(), push.get(), at("retain=1000").c_str()), -1);
    EXPECT_EQ(errno, EEXIST) << vtx_last_error();
    EXPECT_TRUE(events.wait(ZMQ_EVENT_CLOSED));
    push.connect(at());
    EXPECT_TRUE(events.wait(ZMQ_EVENT_CONNECTED)) << "the monitor goes on, too";
    push.send(std::to_string(i));
    ASSERT_EQ(pull.receive(), std::to_string(i));
  }
}

TEST_P(LinkContract, TheProbeOfADealerIsNoMessageWhateverItsPattern) {
  const std::pair<const char*, int> kinds[] = {{"socket=dealer&streams=main&in=none", ZMQ_PULL},
                                               {"socket=dealer&max_peers=1", ZMQ_PAIR}};
  for (const auto& [pattern, receiver] : kinds) {
    Socket dealer(world(), pattern);
    dealer.set(ZMQ_PROBE_ROUTER, 1).bind(at());
    dealer.send("first");
    Socket other(world(), receiver);
    other.connect(at());
    EXPECT_EQ(other.receive(), "first") << pattern;
  }
}

TEST_P(LinkContract, APushCanWriteALog) {
  Socket push(world(), "socket=push&out=all&retain=1000");
  push.connect(at());
  push.send_each(count_up(1, 3));
  push.flush();
  for (int i = 0; i < 2; ++i) {
    Socket sub(world(), ZMQ_SUB);
    sub.set(ZMQ_SUBSCRIBE, "").connect(at("from=oldest"));
    EXPECT_EQ(sub.receive(3), count_up(1, 3));
  }
  Socket other(world(), ZMQ_PUSH);
  EXPECT_EQ(vtx_connect(world().vtx(), other.get(), at("retain=1000").c_str()), 0)
      << "it was declared otherwise: " << vtx_last_error();
}

TEST_P(LinkContract, TwoDealersCanBeAPair) {
  Socket one(world(), "socket=dealer&max_peers=1");
  one.bind(at());
  Socket other(world(), ZMQ_PAIR);
  other.connect(at());
  one.send("to the pair");
  other.send("to the dealer");
  EXPECT_EQ(one.receive(), "to the dealer");
  EXPECT_EQ(other.receive(), "to the pair");
  Socket dealer(world(), ZMQ_DEALER);
  EXPECT_EQ(vtx_connect(world().vtx(), dealer.get(), at().c_str()), -1);
  EXPECT_NE(vtx_connect(world().vtx(), one.get(), at_queue("another").c_str()), 0) << "a pair has one link";
}

TEST_P(LinkContract, APatternThatItsSocketCannotCarryIsRefused) {
  EXPECT_EQ(vtx_socket_pattern(world().vtx(), "socket=push&in=fair"), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_NE(std::string(vtx_last_error()).find("a PUSH socket cannot receive"), std::string::npos) << vtx_last_error();
  EXPECT_EQ(vtx_socket_pattern(world().vtx(), nullptr), nullptr);
  EXPECT_EQ(errno, EFAULT);
}

}  // namespace
}  // namespace vtx::test
