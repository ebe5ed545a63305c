/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: release is the acknowledgement. One table says of every way in which an application can let go of a
// message, and of every way in which a link can end, what the queue says afterwards: settled, given back as never
// delivered, or given back and counted as delivered. Each row is a test of its own for each kind of receiver.
#include <thread>

#include "contract/link_release_scene.hpp"

namespace vtx::test {
namespace {

// --- what a row is made of -------------------------------------------------------------------------------------------

// A lease that no test outlives: what comes again was given back, not taken over.
const std::vector<ReleaseReceiver> kReceivers{
    {"PullAckRelease", ZMQ_PULL, ZMQ_PUSH, "default", "lease=60s", false},
    {"PullAckNext", ZMQ_PULL, ZMQ_PUSH, "default", "lease=60s&ack=next", true},
    {"SubAckRelease", ZMQ_SUB, ZMQ_PUB, "s", "lease=60s&subscription=s", false},
    {"SubAckNext", ZMQ_SUB, ZMQ_PUB, "s", "lease=60s&subscription=s&ack=next", true},
    {"DealerAckRelease", ZMQ_DEALER, ZMQ_DEALER, "default", "lease=60s", false},
    {"DealerAckNext", ZMQ_DEALER, ZMQ_DEALER, "default", "lease=60s&ack=next", true},
};

/// How the application lets go, or does not; `act` leaves what it holds with the scene.
struct Way {
  const char* name;
  void (*act)(ReleaseScene&);
};

/// How the link ends after that.
struct Ending {
  const char* name;
  void (*act)(ReleaseScene&);
  bool binds = false;
};

// --- read, held, copied ----------------------------------------------------------------------------------------------

const Way kUnread("Unread", [](ReleaseScene& scene) {
  scene.start_with(1);
  scene.expect_in_hand(1);
});
const Way kReceived("Received", [](ReleaseScene& scene) {
  scene.start_with(1);
  scene.receive_copy("1");
  scene.expect_in_hand(0);
});
const Way kFollowed("ReceivedAndTheNextToo", [](ReleaseScene& scene) {
  scene.start_with(2);
  scene.receive_copy("1");
  scene.receive_copy("2");
  scene.expect_in_hand(0);
});
const Way kHeld("Held", [](ReleaseScene& scene) {
  scene.start_with(1);
  scene.hold();
  scene.expect_in_hand(1);
});
const Way kReleased("HeldAndLetGo", [](ReleaseScene& scene) {
  scene.start_with(1);
  scene.hold().release();
  scene.expect_in_hand(0);
});
const Way kReleasedElsewhere("LetGoInAnotherThread", [](ReleaseScene& scene) {
  scene.start_with(1);
  Message& message = scene.hold();
  std::thread([&] { message.release(); }).join();
  scene.expect_in_hand(0);
});
const Way kOverwritten("OverwrittenByTheNextReceive", [](ReleaseScene& scene) {
  scene.start_with(2);
  Message& message = scene.hold();
  EXPECT_TRUE(scene.receiver().receive(message));
  EXPECT_EQ(message.text(), "2");
  scene.expect_in_hand(1);
});
const Way kReadFast("FiftyReceivedOneHeldFourUnread", [](ReleaseScene& scene) {
  scene.start_with(55);
  for (int i = 1; i <= 50; ++i) scene.receive_copy(std::to_string(i).c_str());
  EXPECT_EQ(scene.hold().text(), "51");
  EXPECT_TRUE(wait_until([&] { return scene.receiver().stats().in_hand > 1; }));
});

/// Two references to one message.
void copy(ReleaseScene& scene, Message& copied) {
  scene.start_with(1);
  Message& message = scene.hold();
  EXPECT_EQ(zmq_msg_copy(copied.get(), message.get()), 0);
  message.release();
  EXPECT_EQ(copied.text(), "1");
}
const Way kCopied("CopiedAndTheCopyHeld", [](ReleaseScene& scene) {
  copy(scene, scene.spare());
  scene.expect_in_hand(1);
});
const Way kCopiesReleased("CopiedAndBothLetGo", [](ReleaseScene& scene) {
  copy(scene, scene.spare());
  scene.let_go_of_all();
  scene.expect_in_hand(0);
});

// --- several frames --------------------------------------------------------------------------------------------------

void hold_three_frames(ReleaseScene& scene) {
  scene.start({{"1", "", "c"}});
  for (int i = 0; i < 3; ++i) scene.hold();
}
const Way kFramesReleased("EveryFrameLetGo", [](ReleaseScene& scene) {
  hold_three_frames(scene);
  scene.let_go_of_all();
  scene.expect_in_hand(0);
});
const Way kFrameHeld("OneFrameOfSeveralHeld", [](ReleaseScene& scene) {
  hold_three_frames(scene);
  scene.held(2).release();
  scene.held(0).release();
  scene.expect_in_hand(1);
});
const Way kPartlyRead("PartlyReadMultipart", [](ReleaseScene& scene) {
  scene.start({{"1", "", "c"}});
  scene.receive_copy("1");
  scene.expect_in_hand(1);
});

// --- handed on -------------------------------------------------------------------------------------------------------

/// Receives a message and passes it on to where `to` listens.
void forward(ReleaseScene& scene, const std::string& to) {
  scene.start_with(1);
  Socket& forward = scene.helper(ZMQ_PUSH);
  forward.connect(to);
  EXPECT_GE(zmq_msg_send(scene.hold().get(), forward.get(), 0), 0);
}
const Way kForwardedToPipe("ForwardedToInprocAndUnreadThere", [](ReleaseScene& scene) {
  scene.helper(ZMQ_PULL).bind("inproc://there");
  forward(scene, "inproc://there");
  scene.expect_in_hand(1);
});
const Way kForwardedToInproc("ForwardedToInproc", [](ReleaseScene& scene) {
  Socket& there = scene.helper(ZMQ_PULL);
  there.bind("inproc://there");
  forward(scene, "inproc://there");
  EXPECT_EQ(there.receive(), "1");
  scene.expect_in_hand(0);
});
const Way kForwardedToTcp("ForwardedToTcp", [](ReleaseScene& scene) {
  Socket& there = scene.helper(ZMQ_PULL);
  there.bind("tcp://127.0.0.1:*");
  char tcp[256] = "";
  std::size_t size = sizeof tcp;
  zmq_getsockopt(there.get(), ZMQ_LAST_ENDPOINT, tcp, &size);
  forward(scene, tcp);
  scene.expect_in_hand(0);  // sent is enough
  EXPECT_EQ(there.receive(), "1");
});
const Way kForwardedToLink("ForwardedToAnotherQueue", [](ReleaseScene& scene) {
  forward(scene, scene.at_queue("next"));
  scene.expect_in_hand(0);
  EXPECT_EQ(show(scene.world(), scene.at_queue("next")).head, 1U) << "let go here before it was stored there";
});
const Way kProxied{
    "ThroughAProxy", [](ReleaseScene& scene) {
      scene.start_with(200);
      Socket& back = scene.helper(ZMQ_PUSH);
      back.bind("inproc://proxied");
      Socket& end = scene.helper(ZMQ_PULL);
      end.connect("inproc://proxied");
      Socket& control = scene.helper(ZMQ_PAIR);
      control.bind("inproc://control");
      Socket& commander = scene.helper(ZMQ_PAIR);
      commander.connect("inproc://control");
      std::thread proxy([&] { zmq_proxy_steerable(scene.receiver().get(), back.get(), nullptr, control.get()); });
      EXPECT_EQ(end.receive(200), count_up(1, 200));
      scene.expect_in_hand(0);
      commander.send("TERMINATE");
      proxy.join();
    }};

// --- subscriptions ---------------------------------------------------------------------------------------------------

const Way kUnmatched("MatchingNoSubscription", [](ReleaseScene& scene) {
  scene.start({{"1"}}, "other");
  EXPECT_TRUE(scene.receiver().reaches(&vtx_stats_t::filtered, 1));
});
/// It lay in the socket's own pipe, which throws it away as it would any: settled, though nobody saw it.
const Way kUnsubscribed("UnsubscribedWhileUnread", [](ReleaseScene& scene) {
  kUnread.act(scene);
  EXPECT_EQ(zmq_setsockopt(scene.receiver().get(), ZMQ_UNSUBSCRIBE, "", 0), 0);
  EXPECT_TRUE(wait_until([&] {
    zmq_pollitem_t item{scene.receiver().get(), 0, ZMQ_POLLIN, 0};
    EXPECT_EQ(zmq_poll(&item, 1, 1), 0);
    return scene.receiver().stats().in_hand == 0;
  }));
});
const Way kHeldUnsubscribed("UnsubscribedWhileHeld", [](ReleaseScene& scene) {
  kHeld.act(scene);
  EXPECT_EQ(zmq_setsockopt(scene.receiver().get(), ZMQ_UNSUBSCRIBE, "", 0), 0);
  scene.expect_in_hand(1);
});

// --- the link ends ---------------------------------------------------------------------------------------------------

const Ending kClosed("Closed", [](ReleaseScene& scene) { scene.receiver().close(); });
const Ending kPlainlyClosed("PlainlyClosed", [](ReleaseScene& scene) { scene.receiver().close_plainly(); });
const Ending kDisconnected("Disconnected", [](ReleaseScene& scene) {
  scene.receiver().disconnect(scene.endpoint());
  EXPECT_TRUE(scene.receiver().receives_nothing()) << "the pipe has gone";
});
const Ending kUnbound(
    "Unbound",
    [](ReleaseScene& scene) {
      const auto unbind = [&] {
        return vtx_unbind(scene.world().vtx(), scene.receiver().get(), scene.endpoint().c_str());
      };
      EXPECT_EQ(unbind(), 0) << vtx_last_error();
      EXPECT_EQ(unbind(), -1);
      EXPECT_EQ(errno, ENOENT);
    },
    true);
/// vtx_destroy with the socket still open: nobody can tell what is in hand from what is unread, so neither counts.
const Ending kDestroyed("Destroyed", [](ReleaseScene& scene) {
  scene.world().destroy();
  scene.receiver().close_plainly();
  scene.restart();
});
/// As any program: a call fails with ETERM, the socket is closed, and that lets zmq_ctx_term return. Neither counts, as above.
const Ending kTerminated("Terminated", [](ReleaseScene& scene) {
  std::thread terminating([&] { scene.world().terminate(); });
  EXPECT_TRUE(wait_until([&] {
    int events = 0;
    std::size_t size = sizeof events;
    return zmq_getsockopt(scene.receiver().get(), ZMQ_EVENTS, &events, &size) == -1;
  }));
  EXPECT_EQ(errno, ETERM);
  scene.receiver().close_plainly();
  terminating.join();
  scene.restart();
});

// --- the table -------------------------------------------------------------------------------------------------------

struct Expected {
  std::uint64_t settled;  ///< as vtx_stats says while the link lives
  Frames comes_again;     ///< after its end: frames, # and which delivery it is then. #1: the one before does not count
};
const Frames kNothing;
const Frames kUncounted{"1 #1"};
const Frames kCounted{"1 #2"};

enum Receivers { kEvery, kFiltering, kUnfiltered };

}  // namespace

struct ReleaseRow {
  const Way& way;
  const Ending& ending;
  Receivers receivers;
  Expected by_release, by_next;
};

namespace {

const std::vector<ReleaseRow>& rows() {
  static const std::vector<ReleaseRow> rows{
      // clang-format off
      // let go              the link        receivers   ack=release: settled, comes again         ack=next
      {kReceived,          kClosed,        kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kFollowed,          kClosed,        kEvery,     {2, kNothing},                            {1, {"2 #1"}}},
      {kHeld,              kClosed,        kEvery,     {0, kCounted},                            {0, kCounted}},
      {kReleased,          kClosed,        kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kReleasedElsewhere, kClosed,        kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kOverwritten,       kClosed,        kEvery,     {1, {"2 #2"}},                            {0, {"1 #1", "2 #2"}}},
      {kCopied,            kClosed,        kEvery,     {0, kCounted},                            {0, kCounted}},
      {kCopiesReleased,    kClosed,        kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kFramesReleased,    kClosed,        kEvery,     {1, kNothing},                            {0, {"1||c #1"}}},
      {kFrameHeld,         kClosed,        kEvery,     {0, {"1||c #2"}},                         {0, {"1||c #2"}}},

      {kForwardedToPipe,   kClosed,        kEvery,     {0, kCounted},                            {0, kCounted}},
      {kForwardedToInproc, kClosed,        kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kForwardedToTcp,    kClosed,        kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kForwardedToLink,   kClosed,        kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kProxied,           kClosed,        kEvery,     {200, kNothing},                          {199, {"200 #1"}}},

      {kUnmatched,         kClosed,        kFiltering, {1, kNothing},                            {1, kNothing}},
      {kUnsubscribed,      kClosed,        kFiltering, {1, kNothing},                            {0, kUncounted}},
      {kHeldUnsubscribed,  kClosed,        kFiltering, {0, kCounted},                            {0, kCounted}},

      {kUnread,            kClosed,        kEvery,     {0, kUncounted},                          {0, kUncounted}},
      {kUnread,            kPlainlyClosed, kEvery,     {0, kUncounted},                          {0, kUncounted}},
      {kUnread,            kDisconnected,  kEvery,     {0, kUncounted},                          {0, kUncounted}},
      {kUnread,            kUnbound,       kEvery,     {0, kUncounted},                          {0, kUncounted}},
      {kUnread,            kDestroyed,     kEvery,     {0, kUncounted},                          {0, kUncounted}},
      {kUnread,            kTerminated,    kEvery,     {0, kUncounted},                          {0, kUncounted}},

      {kHeld,              kPlainlyClosed, kEvery,     {0, kCounted},                            {0, kCounted}},
      {kHeld,              kDisconnected,  kEvery,     {0, kCounted},                            {0, kCounted}},
      {kHeld,              kUnbound,       kEvery,     {0, kCounted},                            {0, kCounted}},
      {kHeld,              kDestroyed,     kEvery,     {0, kUncounted},                          {0, kUncounted}},
      {kHeld,              kTerminated,    kEvery,     {0, kUncounted},                          {0, kUncounted}},

      {kReceived,          kPlainlyClosed, kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kReceived,          kDisconnected,  kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kReceived,          kUnbound,       kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kReceived,          kDestroyed,     kEvery,     {1, kNothing},                            {0, kUncounted}},
      {kReceived,          kTerminated,    kEvery,     {1, kNothing},                            {0, kUncounted}},

      {kPartlyRead,        kClosed,        kEvery,     {0, {"1||c #1"}},                         {0, {"1||c #1"}}},
      {kPartlyRead,        kPlainlyClosed, kEvery,     {0, {"1||c #1"}},                         {0, {"1||c #1"}}},
      // A SUB has two pipes. libzmq (4.3.4, fq.cpp) ends the program when one goes in the middle of a message and the other was not yet read from.
      {kPartlyRead,        kDisconnected,  kUnfiltered, {0, {"1||c #1"}},                        {0, {"1||c #1"}}},
      {kPartlyRead,        kTerminated,    kEvery,     {0, {"1||c #1"}},                         {0, {"1||c #1"}}},

      {kReadFast,          kClosed,        kEvery,     {50, {"51 #2", "52 #1", "53 #1", "54 #1", "55 #1"}},
                                                       {49, {"50 #1", "51 #2", "52 #1", "53 #1", "54 #1", "55 #1"}}},
      {kReadFast,          kPlainlyClosed, kEvery,     {50, {"51 #2", "52 #1", "53 #1", "54 #1", "55 #1"}},
                                                       {49, {"50 #1", "51 #2", "52 #1", "53 #1", "54 #1", "55 #1"}}},
      {kReadFast,          kDisconnected,  kEvery,     {50, {"51 #2", "52 #1", "53 #1", "54 #1", "55 #1"}},
                                                       {49, {"50 #1", "51 #2", "52 #1", "53 #1", "54 #1", "55 #1"}}},
      {kReadFast,          kTerminated,    kEvery,     {50, {"51 #1", "52 #1", "53 #1", "54 #1", "55 #1"}},
                                                       {49, {"50 #1", "51 #1", "52 #1", "53 #1", "54 #1", "55 #1"}}},
      // clang-format on
  };
  return rows;
}

std::string name_of(const ReleaseCase& one) {
  return std::string(one.row->way.name) + "Then" + one.row->ending.name + "_" + one.receiver->name;
}

}  // namespace

std::vector<ReleaseCase> release_table() {
  std::vector<ReleaseCase> cases;
  for (const ReleaseRow& row : rows()) {
    for (const ReleaseReceiver& receiver : kReceivers) {
      if (row.receivers == kEvery || (row.receivers == kFiltering) == (receiver.type == ZMQ_SUB))
        cases.push_back({&row, &receiver});
    }
  }
  return cases;
}

void PrintTo(const ReleaseCase& one, std::ostream* out) { *out << name_of(one); }

std::string ReleaseTable::case_name(const testing::TestParamInfo<ParamType>& info) {
  return name_of(std::get<ReleaseCase>(info.param));
}

namespace {

TEST_P(ReleaseTable, SaysWhatComesAgain) {
  const auto& [under_test, one] = GetParam();
  const Expected& expected = one.receiver->acks_next ? one.row->by_next : one.row->by_release;
  ReleaseScene scene(under_test, *one.receiver, one.row->ending.binds);
  one.row->way.act(scene);
  EXPECT_TRUE(scene.receiver().reaches(&vtx_stats_t::settled, expected.settled));
  one.row->ending.act(scene);
  EXPECT_EQ(scene.what_comes_again(), expected.comes_again);
  scene.let_go_of_all();  // too late to mean anything
}

// --- beside the table ------------------------------------------------------------------------------------------------

TEST_P(LinkContract, PlainCloseOfAnIdleConsumerLetsOthersHaveTheMessages) {
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  pull.close_plainly();
  put({"x"});
  expect_given_back({"x"}, 0);
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
