/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: release is the acknowledgement. Every way in which an application can let go of a message, and what
// the queue says afterwards: settled, given back as never delivered, or given back and counted as delivered.
#include <thread>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

// --- read ------------------------------------------------------------------------------------------------------------

TEST_P(LinkContract, ReceivedAsACopyIsSettled) {
  auto pull = with_unread();
  EXPECT_EQ(pull->receive(), "x");
  EXPECT_TRUE(drained());
  EXPECT_EQ(pull->stats().settled, 1U);
}

TEST_P(LinkContract, HeldIsSettledWhenLetGo) {
  Message held;
  auto pull = with_held(held);
  EXPECT_EQ(pull->stats().in_hand, 1U);
  EXPECT_EQ(group().depth, 1U);
  held.release();
  EXPECT_TRUE(drained());
  EXPECT_TRUE(pull->reaches(&vtx_stats_t::in_hand, 0));
}

TEST_P(LinkContract, OverwrittenByTheNextReceiveIsSettled) {
  Message message;
  auto pull = with_held(message);
  put({"y"});
  std::thread next([&] { EXPECT_TRUE(pull->receive(message)); });  // the window opens when "x" is let go
  next.join();
  EXPECT_EQ(message.text(), "y");
  EXPECT_TRUE(wait_until([&] { return group().depth == 1; }));
}

TEST_P(LinkContract, CopiedIsSettledWithTheLastCopy) {
  Message held;
  auto pull = with_held(held);
  Message copy;
  ASSERT_EQ(zmq_msg_copy(copy.get(), held.get()), 0);
  held.release();
  EXPECT_EQ(pull->stats().in_hand, 1U);
  EXPECT_EQ(copy.text(), "x");
  copy.release();
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, MultipartIsSettledWithItsLastFrame) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.send(Frames{"a", "", "c"});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  Message a;
  Message b;
  Message c;
  ASSERT_TRUE(pull.receive(a) && pull.receive(b) && pull.receive(c));
  c.release();
  a.release();
  EXPECT_EQ(pull.stats().in_hand, 1U);
  b.release();
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, ReleasedInAnotherThreadIsSettled) {
  Message held;
  auto pull = with_held(held);
  std::thread([&] { held.release(); }).join();
  EXPECT_TRUE(drained());
}

// --- handed on -------------------------------------------------------------------------------------------------------

TEST_P(LinkContract, ForwardedToInprocIsSettledWhenThatReceiverLetsGo) {
  Socket to(world(), ZMQ_PULL);
  to.bind("inproc://forward");
  Socket forward(world(), ZMQ_PUSH);
  forward.connect("inproc://forward");
  Message held;
  auto pull = with_held(held);
  ASSERT_GE(zmq_msg_send(held.get(), forward.get(), 0), 0);
  EXPECT_EQ(pull->stats().in_hand, 1U) << "it lies in the other's pipe";
  EXPECT_EQ(to.receive(), "x");
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, ForwardedToTcpIsSettledWhenSent) {
  Socket to(world(), ZMQ_PULL);
  to.bind("tcp://127.0.0.1:*");
  char tcp[256] = "";
  std::size_t size = sizeof tcp;
  zmq_getsockopt(to.get(), ZMQ_LAST_ENDPOINT, tcp, &size);
  Socket forward(world(), ZMQ_PUSH);
  forward.connect(tcp);
  Message held;
  auto pull = with_held(held);
  ASSERT_GE(zmq_msg_send(held.get(), forward.get(), 0), 0);
  EXPECT_TRUE(drained());
  EXPECT_EQ(to.receive(), "x");
}

TEST_P(LinkContract, ForwardedToAnotherQueueIsSettledWhenStoredThere) {
  Socket forward(world(), ZMQ_PUSH);
  forward.connect(at_queue("next"));
  Message held;
  auto pull = with_held(held);
  ASSERT_GE(zmq_msg_send(held.get(), forward.get(), 0), 0);
  EXPECT_TRUE(drained());
  EXPECT_EQ(show(world(), at_queue("next")).head, 1U) << "settled here before it was stored there";
  Socket end(world(), ZMQ_PULL);
  end.connect(at_queue("next"));
  EXPECT_EQ(end.receive(), "x");
}

TEST_P(LinkContract, ThroughAProxyIsSettledAtTheOtherEnd) {
  put(count_up(1, 200));
  void* context = world().context();
  Socket front(world(), ZMQ_PULL);
  Socket back(world(), ZMQ_PUSH);
  Socket control(world(), ZMQ_PAIR);
  Socket commander(world(), ZMQ_PAIR);
  front.connect(at());
  back.bind("inproc://proxied");
  control.bind("inproc://proxy-control");
  commander.connect("inproc://proxy-control");
  std::thread proxy([&] { zmq_proxy_steerable(front.get(), back.get(), nullptr, control.get()); });
  {
    void* end = zmq_socket(context, ZMQ_PULL);
    const int patience = static_cast<int>(kPatience.count());
    zmq_setsockopt(end, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_connect(end, "inproc://proxied");
    for (int i = 1; i <= 200; ++i) {
      char text[16] = "";
      ASSERT_GT(zmq_recv(end, text, sizeof text - 1, 0), 0);
      ASSERT_EQ(text, std::to_string(i));
    }
    zmq_close(end);
  }
  EXPECT_TRUE(drained());
  commander.send("TERMINATE");
  proxy.join();
}

// --- the link ends ---------------------------------------------------------------------------------------------------

TEST_P(LinkContract, DisconnectGivesUnreadBackUncounted) {
  auto pull = with_unread();
  pull->disconnect(at());
  EXPECT_EQ(group().depth - group().retrying - group().claimed, 0U) << "given back at once";
  expect_given_back({"x"}, 0);
  EXPECT_TRUE(pull->receives_nothing()) << "the pipe has gone";
}

TEST_P(LinkContract, DisconnectGivesHeldBackCounted) {
  Message held;
  auto pull = with_held(held);
  pull->disconnect(at());
  expect_given_back({"x"}, 1);
  held.release();
}

TEST_P(LinkContract, UnbindIsAsDisconnect) {
  Socket pull(world(), ZMQ_PULL);
  pull.bind(at());
  put({"x"});
  EXPECT_TRUE(pull.reaches(&vtx_stats_t::in_hand, 1));
  EXPECT_EQ(vtx_unbind(world().vtx(), pull.get(), at().c_str()), 0) << vtx_last_error();
  expect_given_back({"x"}, 0);
  EXPECT_EQ(vtx_unbind(world().vtx(), pull.get(), at().c_str()), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST_P(LinkContract, CloseGivesUnreadBackUncounted) {
  auto pull = with_unread();
  pull->close();
  expect_given_back({"x"}, 0);
}

TEST_P(LinkContract, CloseGivesHeldBackCounted) {
  Message held;
  auto pull = with_held(held);
  pull->close();
  expect_given_back({"x"}, 1);
  held.release();
}

TEST_P(LinkContract, CloseCountsOnlyWhatWasReceived) {
  Message held;
  auto pull = with_held_and_unread(held);
  pull->close();
  expect_given_back(count_up(51, 55), 1);
}

TEST_P(LinkContract, PlainCloseGivesUnreadBackUncounted) {
  auto pull = with_unread();
  pull->close_plainly();
  expect_given_back({"x"}, 0);
}

TEST_P(LinkContract, PlainCloseGivesHeldBackCounted) {
  Message held;
  auto pull = with_held(held);
  pull->close_plainly();
  expect_given_back({"x"}, 1);
}

TEST_P(LinkContract, PlainCloseCountsOnlyWhatWasReceived) {
  Message held;
  auto pull = with_held_and_unread(held);
  pull->close_plainly();
  expect_given_back(count_up(51, 55), 1);
}

TEST_P(LinkContract, PlainCloseOfAnIdleConsumerLetsOthersHaveTheMessages) {
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  pull.close_plainly();
  put({"x"});
  expect_given_back({"x"}, 0);
}

TEST_P(LinkContract, PartlyReadMultipartIsGivenBackUncounted) {
  for (const bool plainly : {false, true}) {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at());
    push.send(Frames{"a", "b", "c"});
    Socket pull(world(), ZMQ_PULL);
    pull.connect(at());
    Message first;
    ASSERT_TRUE(pull.receive(first));
    first.release();
    plainly ? pull.close_plainly() : pull.close();
    Socket second(world(), ZMQ_PULL);
    second.connect(at());
    EXPECT_EQ(second.receive_frames(), (Frames{"a", "b", "c"}));
    EXPECT_EQ(second.stats().redelivered, 0U);
    EXPECT_TRUE(drained());
  }
}

TEST_P(LinkContract, DestroyGivesBackAndEndsTheLinks) {
  Message held;
  Socket other(world(), ZMQ_PULL);
  auto pull = with_held(held);
  world().destroy();
  pull->close_plainly();
  other.close_plainly();
  held.release();  // harmless
  restart();
  expect_given_back({"x"}, 1);
}

TEST_P(LinkContract, TerminatedContextGivesBack) {
  auto pull = with_unread();
  std::thread closer([&] {
    // As any program: the call fails with ETERM, the socket is closed, and that lets zmq_ctx_term return.
    int answer = 0;
    do {
      char byte = 0;
      pull->set(ZMQ_RCVTIMEO, -1);
      answer = zmq_recv(pull->get(), &byte, 1, 0);
    } while (answer >= 0);
    EXPECT_EQ(errno, ETERM);
    pull->close_plainly();
  });
  put({"y"});
  EXPECT_TRUE(drained());
  world().terminate();
  closer.join();
  restart();
  put({"z"});
  expect_given_back({"z"}, 0);
}

TEST_P(LinkContract, ReleaseAfterTheEndIsHarmless) {
  Message after_close;
  Message after_destroy;
  auto pull = with_held(after_close);
  pull->close();
  after_close.release();
  auto again = std::make_unique<Socket>(world(), ZMQ_PULL);
  again->connect(at());
  ASSERT_TRUE(again->receive(after_destroy));
  EXPECT_EQ(vtx_ack(world().vtx(), after_destroy.get()), 0) << vtx_last_error();
  again->close();
  restart();
  EXPECT_EQ(after_destroy.text(), "x") << "its memory is ours as long as it is held";
  after_destroy.release();
  EXPECT_TRUE(drained());
}

// --- ack -------------------------------------------------------------------------------------------------------------

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
    ASSERT_EQ(rest.receive(2), (Frames{"b", "c"})) << round;
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
