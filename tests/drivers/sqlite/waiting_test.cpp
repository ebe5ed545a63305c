/* SPDX-License-Identifier: MPL-2.0 */
//
// Doorbells. The clock stands still, so the slow look, which would find in the end whatever was missed, never comes.
#include <atomic>
#include <set>
#include <thread>

#include "harness.hpp"
#include "support/manual_clock.hpp"

namespace vtx::sqlite::test {
namespace {

class Doorbells : public SqliteTest {
 protected:
  void SetUp() override {
    SqliteTest::SetUp();
    writer_ = join();
  }
  void TearDown() override {
    writer_.reset();
    SqliteTest::TearDown();
  }
  std::unique_ptr<Driven> join() {
    auto store = std::make_unique<Driven>(path_, std::map<std::string, std::string>{}, clock_);
    store->open();
    store->declare();
    return store;
  }
  bool is_empty(Driven& store, Seq from) { return store.run(Read{store.stream, from, {}, true}).messages.empty(); }
  static constexpr int kMany = 20;  // more than a slot can name
  struct Mailbox {
    Id stream = 0;
    Id group = 0;
  };
  std::vector<Mailbox> mailboxes() {
    std::vector<Mailbox> all;
    for (int i = 0; i < kMany; ++i) {
      const std::string peer = "peer" + std::to_string(i);
      all.push_back({writer_->run(OpenStream{writer_->queue, "mailbox", peer, 0}).id,
                     writer_->run(OpenGroup{writer_->queue, "mailbox", peer, "default", "oldest", {}, {}}).id});
    }
    return all;
  }
  static bool waits(Driven& store, Id group) { return !store.run(ClaimNext{group, store.holder, {}, true}).claim; }
  void post(const Mailbox& mailbox) {
    Commit commit;
    commit.appends.push_back({mailbox.stream, {Message{}}, "", -1});
    EXPECT_TRUE(writer_->run(std::move(commit)).status.ok());
  }

  vtx::test::ManualClock clock_;
  std::unique_ptr<Driven> writer_;
};

TEST_F(Doorbells, RingForEveryReader) {
  std::vector<std::unique_ptr<Driven>> readers;
  for (int i = 0; i < 3; ++i) readers.push_back(join());
  for (Seq next = 1; next <= 3; ++next) {
    for (const auto& reader : readers) EXPECT_TRUE(is_empty(*reader, next));
    ASSERT_TRUE(writer_->send({"x"}).ok());
    for (const auto& reader : readers) reader->wait_event(Event::changed);
  }
}

TEST_F(Doorbells, RingForOneConsumerOfAGroup) {
  std::vector<std::unique_ptr<Driven>> consumers;
  for (int i = 0; i < 3; ++i) consumers.push_back(join());
  for (const auto& consumer : consumers) EXPECT_FALSE(consumer->claim().claim);
  ASSERT_TRUE(writer_->send({"x"}).ok());
  int told = 0;
  for (const auto& consumer : consumers) told += consumer->saw(Event::changed, 100ms) ? 1 : 0;
  EXPECT_EQ(told, 1);
}

TEST_F(Doorbells, RingForAConsumerWhoBeganToReadBesides) {
  const auto both = join();
  const Id other = both->run(OpenStream{both->queue, "up", "", 0}).id;
  EXPECT_FALSE(both->claim().claim);
  EXPECT_TRUE(both->run(Read{other, 1, {}, true}).messages.empty());
  ASSERT_TRUE(writer_->send({"x"}).ok());
  both->wait_event(Event::changed);
}

TEST_F(Doorbells, RingForAReaderWhoClaimedBesides) {
  const auto both = join();
  const Id other = both->run(OpenStream{both->queue, "up", "", 0}).id;
  EXPECT_FALSE(both->claim().claim);
  EXPECT_TRUE(both->run(Read{other, 1, {}, true}).messages.empty());
  // Its own message ends its wait for the group only.
  ASSERT_TRUE(both->send({"mine"}).ok());
  both->wait_event(Event::changed);
  EXPECT_TRUE(both->run(Read{other, 1, {}, true}).messages.empty());
  EXPECT_TRUE(both->claim().claim);
  Commit commit;
  commit.appends.push_back({other, {Message{}}, "", -1});
  EXPECT_TRUE(writer_->run(std::move(commit)).status.ok());
  both->wait_event(Event::changed);
}

TEST_F(Doorbells, RingForReadersOfMoreStreamsThanASlotHolds) {
  constexpr int kStreams = 20;
  const auto reader = join();
  std::vector<Id> streams;
  for (int i = 0; i < kStreams; ++i)
    streams.push_back(reader->run(OpenStream{reader->queue, "mailbox", std::to_string(i), 0}).id);
  for (const Id stream : streams) EXPECT_TRUE(reader->run(Read{stream, 1, {}, true}).messages.empty());
  Commit commit;
  commit.appends.push_back({streams.back(), {Message{}}, "", -1});
  EXPECT_TRUE(writer_->run(std::move(commit)).status.ok());
  reader->wait_event(Event::changed);
}

TEST_F(Doorbells, OfThoseWhoWaitForManyThingsDoNotTakeOthersRings) {
  const auto all = mailboxes();
  const auto crowd = join();
  for (const auto& mailbox : all) {
    EXPECT_TRUE(waits(*writer_, mailbox.group));
    EXPECT_TRUE(waits(*crowd, mailbox.group));
  }
  const auto consumer = join();
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(consumer->claim().claim);
    ASSERT_TRUE(writer_->send({"x"}).ok());
    consumer->wait_event(Event::changed);
    consumer->ack(*consumer->claim().claim);
  }
}

TEST_F(Doorbells, TellWhoWaitsForManyThingsOfEach) {
  const auto all = mailboxes();
  const auto consumer = join();
  for (const auto& mailbox : all) EXPECT_TRUE(waits(*consumer, mailbox.group));
  // The first one rings, and the others find it rung.
  for (const auto& mailbox : all) post(mailbox);
  std::set<Id> told;
  while (told.size() < all.size() && !HasFailure())
    for (const Id group : consumer->wait_event(Event::changed).groups) told.insert(group);
  for (const auto& mailbox : all) EXPECT_TRUE(told.contains(mailbox.group));
}

TEST_F(Doorbells, OfWhoWaitsForManyThingsSurviveItsOwnCommits) {
  const auto all = mailboxes();
  for (const auto& mailbox : all) EXPECT_TRUE(waits(*writer_, mailbox.group));
  const auto other = join();
  // Whatever these streams hash to, some pass the sieve.
  for (int i = 0; i < 200; ++i) {
    const Id stream = writer_->run(OpenStream{writer_->queue, "mailbox", "own" + std::to_string(i), 0}).id;
    post({stream, 0});
  }
  Commit commit;
  commit.appends.push_back({all.back().stream, {Message{}}, "", -1});
  EXPECT_TRUE(other->run(std::move(commit)).status.ok());
  EXPECT_EQ(writer_->wait_event(Event::changed).groups, std::vector<Id>{all.back().group});
}

TEST_F(Doorbells, AreRungForATimeThatPassedWhileTheMachineSlept) {
  const auto consumer = join();
  Message later;
  later.delay = 3600s;
  Commit commit;
  commit.appends.push_back({writer_->stream, {later}, "", -1});
  EXPECT_TRUE(writer_->run(std::move(commit)).status.ok());
  EXPECT_FALSE(consumer->claim().claim);
  clock_.set_wall(clock_.wall() + 8h);  // timers have stood still
  clock_.advance(1s);                   // to the slow look
  consumer->wait_event(Event::changed);
  EXPECT_TRUE(consumer->claim().claim);
}

TEST_F(Doorbells, ACommitBySqlIsSeenThoughOthersOfVtxFoundNothing) {
  writer_->declare("other");
  const auto consumer = join();
  EXPECT_FALSE(consumer->claim().claim);
  EXPECT_FALSE(writer_->claim().claim);  // a transaction that changes nothing
  Foreign(path_).run("INSERT INTO vtx_send (queue, body) VALUES ('jobs', 'one')");
  bool seen = false;
  for (Ms passed{}; !seen && passed < 500ms; passed += 10ms) {  // the file is looked at again soon after it was written
    clock_.advance(10ms);
    seen = consumer->saw(Event::changed, 100ms);
  }
  EXPECT_TRUE(seen);
  EXPECT_EQ(bodies(consumer->claim()), std::vector<std::string>{"one"});
}

TEST_F(Doorbells, RingForWhoStillWaitsWhenAnotherHasCeasedTo) {
  const auto gone = join();
  EXPECT_FALSE(gone->claim().claim);
  const auto consumer = join();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(consumer->claim().claim);
    if (i == 0) gone->run(StopWaiting{gone->group});
    ASSERT_TRUE(writer_->send({"x"}).ok());
    consumer->wait_event(Event::changed);
    consumer->ack(*consumer->claim().claim);
  }
}

TEST_F(Doorbells, PassOnWhatTheOneWhoWasToldDoesNotClaim) {
  const auto one = join();
  const auto two = join();
  EXPECT_FALSE(one->claim().claim);
  EXPECT_FALSE(two->claim().claim);
  ASSERT_TRUE(writer_->send({"x"}).ok());
  const bool first = one->saw(Event::changed, 0ms);
  if (!first) two->wait_event(Event::changed);
  Driven& told = first ? *one : *two;
  Driven& other = first ? *two : *one;
  told.run(StopWaiting{told.group});
  other.wait_event(Event::changed);
  EXPECT_TRUE(other.claim().claim);
}

TEST_F(Doorbells, AreNotMissedBetweenReadingAndWaiting) {
  constexpr Seq kMessages = 40;
  const auto reader = join();
  const Id large = reader->run(OpenStream{reader->queue, "up", "", 0}).id;
  Commit commit;
  commit.appends.push_back({large, std::vector<Message>(kMaxBatch), "", -1});
  ASSERT_TRUE(writer_->run(std::move(commit)).status.ok());
  std::atomic<Seq> seen{0};
  std::thread writing([&] {
    for (Seq i = 0; i < kMessages; ++i) {
      while (seen < i) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::microseconds(i * 250));
      EXPECT_TRUE(writer_->send({"x"}, false).ok());
    }
  });
  while (seen < kMessages && !HasFailure()) {
    const auto ticket = reader->submit(Read{reader->stream, seen + 1, {}, true});
    // What else is read in one go gives the writer time to commit after the stream was looked at.
    for (int i = 0; i < 4; ++i) reader->submit(Read{large, 1, {}});
    if (reader->wait(ticket).messages.empty())
      reader->wait_event(Event::changed);
    else
      ++seen;
  }
  seen = kMessages;
  writing.join();
}

TEST_F(Doorbells, OfOnesOwnMessageRingToo) {
  EXPECT_TRUE(is_empty(*writer_, 1));
  ASSERT_TRUE(writer_->send({"x"}).ok());
  writer_->wait_event(Event::changed);
}

}  // namespace
}  // namespace vtx::sqlite::test
