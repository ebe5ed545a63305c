/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: release is the acknowledgement. Every way in which an application can let go of a message, and what
// the queue says afterwards: settled, given back as never delivered, or given back and counted as delivered.
#include <set>
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
  expect_given_back(
      {"x"}, 0);  // with the socket still open nobody can tell what is in hand from what is unread: neither counts
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

TEST_P(LinkContract, TerminatedContextGivesBackWhatWasHeldOrUnread) {
  Message held;
  auto pull = with_held_and_unread(held);
  std::thread terminating([&] { world().terminate(); });  // returns when the socket is closed
  int events = 0;
  std::size_t size = sizeof events;
  EXPECT_TRUE(wait_until([&] { return zmq_getsockopt(pull->get(), ZMQ_EVENTS, &events, &size) == -1; }));
  EXPECT_EQ(errno, ETERM);
  pull->close_plainly();
  terminating.join();
  held.release();
  restart();
  Socket second(world(), ZMQ_PULL);
  second.connect(at());
  const Frames got = second.receive(5);
  const Frames all = count_up(51, 55);
  EXPECT_EQ(std::set<std::string>(got.begin(), got.end()), std::set<std::string>(all.begin(), all.end()));
  EXPECT_TRUE(drained());
  EXPECT_EQ(second.stats().redelivered, 0U);  // neither counts, as in DestroyGivesBackAndEndsTheLinks
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

}  // namespace
}  // namespace vtx::test
