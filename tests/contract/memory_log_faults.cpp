/* SPDX-License-Identifier: MPL-2.0 */
//
// The log on a store that fails: a publisher blocks, it does not drop; who reads the history goes on where it was, and hears
// once that it has caught up.
#include <thread>

#include "contract/faulty_links.hpp"

namespace vtx::test {
namespace {

// --- publishers ------------------------------------------------------------------------------------------------------

struct Publisher {
  const char* name;
  int type;
  bool away;  ///< the store is away, or else full
  int reader = ZMQ_SUB;
};

void PrintTo(const Publisher& publisher, std::ostream* out) { *out << publisher.name; }

class FaultyPublisher : public FaultyLinks, public testing::WithParamInterface<Publisher> {
 protected:
  void begin_trouble(EventLog& events) {
    if (GetParam().away) {
      faults_->refuse_start(Status(Code::busy, "away"));
      faults_->lose_session();
      EXPECT_TRUE(events.wait(ZMQ_EVENT_DISCONNECTED));
    } else {
      faults_->set_full(true);
    }
  }
  void end_trouble() { GetParam().away ? faults_->refuse_start({}) : faults_->set_full(false); }
};

TEST_P(FaultyPublisher, BlocksAtItsMarkAndDropsNothing) {
  Socket pub(world_, GetParam().type);
  EventLog events(world_, pub);
  pub.set(ZMQ_SNDHWM, 10).set(ZMQ_RECONNECT_IVL, 1).connect(at());
  begin_trouble(events);
  pub.send("1");
  if (!GetParam().away) {
    EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));  // and so "1" has left the pipe
  }
  Frames sent{"1"};
  while (sent.size() < 100 && pub.try_send(std::to_string(sent.size() + 1)))
    sent.push_back(std::to_string(sent.size() + 1));
  EXPECT_GE(sent.size(), 10U);
  EXPECT_LE(sent.size(), 13U) << "the mark bounds what waits";

  pub.set(ZMQ_SNDTIMEO, 50);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(zmq_send(pub.get(), "", 0, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GE(std::chrono::steady_clock::now() - before, Ms{49});

  pub.set(ZMQ_SNDTIMEO, -1);
  std::thread blocked([&] { pub.send("last"); });
  end_trouble();
  blocked.join();
  sent.push_back("last");
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_RECOVERED));
  pub.flush();
  EXPECT_EQ(pub.stats().dropped, 0U);
  if (GetParam().reader == ZMQ_SUB) {
    EXPECT_EQ(read("from=oldest", sent.size()), sent);
    EXPECT_EQ(show(world_, at()).head, sent.size());
  } else {
    Socket reader(world_, GetParam().reader);
    reader.bind(at());
    EXPECT_EQ(reader.receive(static_cast<int>(sent.size())), sent);
  }
}

INSTANTIATE_TEST_SUITE_P(Log, FaultyPublisher,
                         testing::Values(Publisher{"PubOnAFullStore", ZMQ_PUB, false},
                                         Publisher{"PubOnAStoreThatIsAway", ZMQ_PUB, true},
                                         Publisher{"XpubOnAFullStore", ZMQ_XPUB, false},
                                         Publisher{"XpubOnAStoreThatIsAway", ZMQ_XPUB, true},
                                         Publisher{"DealerOnAFullStore", ZMQ_DEALER, false, ZMQ_DEALER},
                                         Publisher{"DealerOnAStoreThatIsAway", ZMQ_DEALER, true, ZMQ_DEALER},
                                         Publisher{"PairOnAFullStore", ZMQ_PAIR, false, ZMQ_PAIR},
                                         Publisher{"PairOnAStoreThatIsAway", ZMQ_PAIR, true, ZMQ_PAIR}),
                         [](const auto& one) { return one.param.name; });

TEST_F(FaultyLinks, APlainSubscriberIsHeldUpByTheStoreAndMissesNothing) {
  Socket pub(world_, ZMQ_PUB);
  EventLog events(world_, pub);
  pub.set(ZMQ_SNDHWM, 5).connect(at());
  Subscriber plain(world_);
  join_plainly(pub, plain);
  faults_->set_full(true);
  pub.send("1");
  ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_TROUBLE));
  std::thread sender([&] { pub.send_each(count_up(2, 100)); });
  EXPECT_EQ(plain.receive(5), count_up(1, 5));
  faults_->set_full(false);
  EXPECT_EQ(plain.receive(95), count_up(6, 100));
  sender.join();
  pub.flush();
  EXPECT_EQ(read("from=oldest", 100), count_up(1, 100));
}

// --- readers of the history ------------------------------------------------------------------------------------------

struct HistoryReader {
  const char* name;
  const char* options;
  std::uint64_t unconfirmed;  ///< messages that it has received, and not settled
};

void PrintTo(const HistoryReader& reader, std::ostream* out) { *out << reader.name; }

class FaultyHistory : public FaultyLinks, public testing::WithParamInterface<HistoryReader> {
 protected:
  /// Receives so many, and counts those that say that all that was before is history.
  Frames receive(Socket& sub, int count) {
    Frames texts;
    for (int i = 0; i < count; ++i) {
      const auto frames = sub.receive_frames();
      if (!frames) break;
      texts.push_back(frames->front());
      if (frames->back().find("Caught-Up: yes") != std::string::npos) ++caught_up_;
    }
    return texts;
  }

  int caught_up_ = 0;
};

TEST_P(FaultyHistory, GoesOnWithoutGapOrRepeatAfterLostSessions) {
  const int rounds = 10, each = 300;
  publish(count_up(1, rounds * each / 2));
  Subscriber sub(world_);
  EventLog events(world_, sub);
  sub.set(ZMQ_RECONNECT_IVL, 1)
      .set(ZMQ_RCVHWM, 50)
      .connect(at(GetParam().options + std::string("&prefetch=100&properties=on")));
  std::thread publisher([&] { publish(count_up(rounds * each / 2 + 1, rounds * each)); });
  Frames got;
  for (int round = 0; round < rounds; ++round) {
    for (const std::string& text : receive(sub, each)) got.push_back(text);
    faults_->lose_session();
  }
  publisher.join();
  EXPECT_EQ(got, count_up(1, rounds * each));
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_CAUGHT_UP));
  faults_->lose_session();
  EXPECT_TRUE(events.wait(ZMQ_EVENT_DISCONNECTED));
  EXPECT_TRUE(events.wait(ZMQ_EVENT_CONNECTED));
  publish({"live 1", "live 2"});
  EXPECT_EQ(receive(sub, 2), (Frames{"live 1", "live 2"}));
  EXPECT_EQ(caught_up_, 1) << "messages said that they are the first live one";
  EXPECT_FALSE(events.wait(VTX_EVENT, VTX_EVENT_CAUGHT_UP, Ms{20})) << "told once";
  EXPECT_EQ(sub.stats().redelivered, 0U);
  EXPECT_TRUE(wait_until([&] { return show(world_, at()).groups["s"].depth == GetParam().unconfirmed; }));
}

TEST_P(FaultyHistory, MissesNothingThatCameWhileItsSessionWasLost) {
  publish({"1", "2"});
  Subscriber sub(world_);
  EventLog events(world_, sub);
  sub.set(ZMQ_RECONNECT_IVL, 1).connect(at(GetParam().options));
  EXPECT_EQ(sub.receive(2), (Frames{"1", "2"}));
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_CAUGHT_UP));
  faults_->refuse_start(Status(Code::busy, "away"));
  faults_->lose_session();
  ASSERT_TRUE(events.wait(ZMQ_EVENT_DISCONNECTED));
  publish_from_elsewhere({"3", "4", "5"});
  faults_->refuse_start({});
  EXPECT_EQ(sub.receive(3), (Frames{"3", "4", "5"}));
  EXPECT_TRUE(sub.receives_nothing());
  EXPECT_FALSE(events.wait(VTX_EVENT, VTX_EVENT_CAUGHT_UP, Ms{20})) << "told once";
}

INSTANTIATE_TEST_SUITE_P(Log, FaultyHistory,
                         testing::Values(HistoryReader{"Ephemeral", "from=oldest", 0},
                                         HistoryReader{"Durable", "subscription=s&from=oldest", 0},
                                         HistoryReader{"DurableAckNext", "subscription=s&from=oldest&ack=next", 1}),
                         [](const auto& one) { return one.param.name; });

TEST_F(FaultyLinks, AReaderFromNowKeepsItsPlaceThroughALostSession) {
  publish({"old"});
  Subscriber sub(world_);
  EventLog events(world_, sub);
  sub.set(ZMQ_RECONNECT_IVL, 1).connect(at());
  faults_->refuse_start(Status(Code::busy, "away"));
  faults_->lose_session();
  ASSERT_TRUE(events.wait(ZMQ_EVENT_DISCONNECTED));
  publish_from_elsewhere({"a", "b"});
  faults_->refuse_start({});
  EXPECT_EQ(sub.receive(2), (Frames{"a", "b"}));
}

TEST_F(FaultyLinks, ReadsThatFailAreTriedAgainAndTold) {
  publish(count_up(1, 100));
  faults_->fail<driver::Read>(2, Status(Code::busy, "not now"));
  Subscriber sub(world_);
  EventLog events(world_, sub);
  sub.connect(at("from=oldest&prefetch=10"));
  EXPECT_EQ(sub.receive(100), count_up(1, 100));
  const auto trouble = events.wait(VTX_EVENT, VTX_EVENT_TROUBLE);
  ASSERT_TRUE(trouble);
  EXPECT_NE(trouble->sentence.find("not now"), std::string::npos) << trouble->sentence;
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_RECOVERED));
}

TEST_F(FaultyLinks, SettlementsInDoubtLeaveNeitherGapNorRepeat) {
  const int rounds = 8, each = 50;
  publish(count_up(1, rounds * each));
  Subscriber sub(world_);
  EventLog events(world_, sub);
  sub.set(ZMQ_RECONNECT_IVL, 1).connect(at("subscription=s&from=oldest&prefetch=20&lease=60s"));
  Frames got;
  for (int round = 0; round < rounds; ++round) {
    faults_->lose_answer(1, round % 2 == 0);
    for (const std::string& text : sub.receive(each)) got.push_back(text);
  }
  EXPECT_EQ(got, count_up(1, rounds * each));
  EXPECT_TRUE(wait_until([&] { return show(world_, at()).groups["s"].depth == 0; }));
  EXPECT_TRUE(sub.receives_nothing());
  EXPECT_EQ(sub.stats().redelivered, 0U);
  EXPECT_FALSE(events.wait(VTX_EVENT, VTX_EVENT_FENCED, Ms{20})) << "its own settlement closed the claim";
}

}  // namespace
}  // namespace vtx::test
