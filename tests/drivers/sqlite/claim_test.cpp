/* SPDX-License-Identifier: MPL-2.0 */
//
// The way of a message through the tables, and what the tables look like meanwhile.
#include "harness.hpp"
#include "support/manual_clock.hpp"

namespace vtx::sqlite::test {
namespace {

using Texts = std::vector<std::string>;

class Claims : public SqliteTest {
 protected:
  void SetUp() override {
    SqliteTest::SetUp();
    store_ = std::make_unique<Driven>(path_);
    store_->open();
    store_->declare();
  }
  void TearDown() override {
    store_.reset();
    SqliteTest::TearDown();
  }
  Completion settle(const Claim& claim, Verdict verdict, std::string reason = {}) {
    Commit commit;
    commit.settles.push_back(store_->settle_all(claim, verdict, std::move(reason)));
    return store_->run(std::move(commit));
  }
  std::string sql(const std::string& text) { return Foreign(path_).value(text); }
  u64 tend() {
    u64 count = 0;
    for (bool more = true; more;) {
      const auto done = store_->run(Tend{"jobs"});
      EXPECT_TRUE(done.status.ok());
      count += done.count;
      more = done.more;
    }
    return count;
  }
  std::unique_ptr<Driven> store_;
};

TEST_F(Claims, DeliversInOrderAndForgetsWhatIsSettled) {
  ASSERT_TRUE(store_->send({"a", "", "c"}).ok());
  const auto got = store_->claim();
  ASSERT_TRUE(got.claim);
  EXPECT_EQ(bodies(got), (Texts{"a", "", "c"}));
  EXPECT_EQ(got.claim->first, 1U);
  EXPECT_EQ(got.claim->last, 3U);
  EXPECT_EQ(got.claim->delivery, 1U);
  EXPECT_EQ(got.messages[2].seq, 3U);
  EXPECT_FALSE(got.more);
  store_->ack(*got.claim);
  EXPECT_EQ(sql("SELECT count(*) FROM vtx_claim"), "0");
  EXPECT_FALSE(store_->claim().claim);
  EXPECT_EQ(tend(), 3U);
  // An emptied stream goes on.
  ASSERT_TRUE(store_->send({"d"}).ok());
  EXPECT_EQ(store_->claim().claim->first, 4U);
}

TEST_F(Claims, KeepsToTheLimitButGivesOneAlways) {
  ASSERT_TRUE(store_->send({std::string(2000, 'x'), std::string(2000, 'y'), std::string(2000, 'z')}).ok());
  const auto one = store_->run(ClaimNext{store_->group, store_->holder, {100, 10}, true});
  EXPECT_EQ(one.messages.size(), 1U);
  EXPECT_TRUE(one.more);
  const auto two = store_->run(ClaimNext{store_->group, store_->holder, {100, 4000}, true});
  EXPECT_EQ(two.messages.size(), 2U);
  EXPECT_EQ(two.buffer.size, 4000U);
  EXPECT_FALSE(two.more);
}

TEST_F(Claims, RecognisesARepeatedCommit) {
  ASSERT_TRUE(store_->send({"once"}).ok());
  --store_->counter;
  ASSERT_TRUE(store_->send({"once"}).ok());
  EXPECT_EQ(bodies(store_->claim()), Texts{"once"});
}

TEST_F(Claims, GivesBackUncountedAsARangeAndCountedOneByOne) {
  ASSERT_TRUE(store_->send({"a", "b", "c"}).ok());
  auto got = store_->claim();
  settle(*got.claim, Verdict::unseen);
  EXPECT_EQ(sql("SELECT count(*) FROM vtx_retry"), "1");
  got = store_->claim(4096, false);
  ASSERT_TRUE(got.claim);
  EXPECT_EQ(bodies(got), (Texts{"a", "b", "c"}));
  EXPECT_EQ(got.claim->delivery, 1U);
  settle(*got.claim, Verdict::nacked, "no luck");
  EXPECT_TRUE(store_->claim(4096, false).retry_waiting);
  got = store_->claim(4096, true);
  ASSERT_TRUE(got.claim);
  EXPECT_EQ(bodies(got), Texts{"a"});
  EXPECT_EQ(got.claim->delivery, 2U);
  EXPECT_EQ(got.claim->reason, "no luck");
  EXPECT_TRUE(got.more);
}

TEST_F(Claims, TellsWhenADelayedNackIsDue) {
  ASSERT_TRUE(store_->send({"a"}).ok());
  const auto got = store_->claim();
  Commit commit;
  commit.settles.push_back(store_->settle_all(*got.claim, Verdict::nacked));
  commit.settles[0].odd[0].delay = 3600s;
  store_->run(std::move(commit));
  const auto none = store_->claim();
  EXPECT_FALSE(none.claim);
  ASSERT_TRUE(none.due_in);
  EXPECT_GT(*none.due_in, 3500s);
  EXPECT_LE(*none.due_in, 3600s);
}

TEST_F(Claims, WhoWaitsLearnsOfADelayedNackWhoseStoreEnds) {
  ASSERT_TRUE(store_->send({"a"}).ok());
  const auto got = store_->claim();
  Driven other(path_);
  other.open();
  other.declare();
  const auto empty = other.claim();
  ASSERT_FALSE(empty.claim);
  ASSERT_FALSE(empty.due_in);
  Commit commit;
  commit.settles.push_back(store_->settle_all(*got.claim, Verdict::nacked));
  commit.settles[0].odd[0].delay = 3600s;
  store_->run(std::move(commit));
  store_->store().stop();
  other.wait_event(Event::changed);
  EXPECT_TRUE(other.claim().due_in);
  // That told all there is to tell.
  EXPECT_FALSE(other.saw(Event::changed, 2500ms));
}

TEST_F(Claims, SettlesPartlyAndOnlyNewBits) {
  ASSERT_TRUE(store_->send({"a", "b", "c"}).ok());
  const auto got = store_->claim();
  const auto part = [&](u64 bits, std::vector<Odd> odd) {
    Commit commit;
    commit.settles.push_back({store_->group, got.claim->id, {bits}, std::move(odd)});
    return store_->run(std::move(commit));
  };
  EXPECT_TRUE(part(0b001, {{0, Verdict::filtered, 0ms, ""}}).fenced.empty());
  EXPECT_TRUE(part(0b011, {{0, Verdict::filtered, 0ms, ""}, {1, Verdict::expired, 0ms, ""}}).fenced.empty());
  EXPECT_EQ(sql("SELECT n FROM vtx_tally WHERE what = 'filtered'"), "1");
  EXPECT_EQ(tend(), 2U);
  EXPECT_TRUE(part(0b111, {}).fenced.empty());
  EXPECT_EQ(part(0b111, {}).fenced, std::vector<u32>{0});
}

TEST_F(Claims, RetiresOnlyWhatEveryGroupHasSettled) {
  const Id second = store_->run(OpenGroup{store_->queue, "main", "", "second", "oldest", "", {}, 10}).id;
  ASSERT_TRUE(store_->send(Texts(10, "x")).ok());
  store_->ack(*store_->claim().claim);
  EXPECT_EQ(tend(), 0U);
  const auto got = store_->run(ClaimNext{second, store_->holder, {4, 1000}, true});
  EXPECT_EQ(tend(), 0U);
  store_->ack(*got.claim);
  EXPECT_EQ(tend(), 4U);
  const auto stats = store_->run(Inspect{"jobs"}).queues.at(0);
  EXPECT_EQ(stats.messages, 6U);
  EXPECT_EQ(stats.head, 10U);
  EXPECT_EQ(stats.tail, 5U);
  EXPECT_EQ(stats.groups.at(0).depth, 0U);
  EXPECT_EQ(stats.groups.at(1).depth, 6U);
}

TEST_F(Claims, BuriesRequeuesAndDropsDeadLetters) {
  ASSERT_TRUE(store_->send({"poison", "fine"}).ok());
  auto got = store_->claim(1);
  settle(*got.claim, Verdict::dead, "it crashed\nthe worker");
  EXPECT_EQ(sql("SELECT properties FROM vtx_message ORDER BY id DESC LIMIT 1"),
            "Dead-Group: default\nDead-Reason: it crashed the worker\nDead-Queue: jobs\nDead-Sequence: "
            "1\nDead-Deliveries: 1\n");
  auto stats = store_->run(Inspect{"jobs"}).queues.at(0);
  EXPECT_EQ(stats.dead, 1U);
  EXPECT_EQ(stats.counters.at(0), (std::pair<std::string, u64>{"dead_lettered", 1}));
  EXPECT_EQ(store_->run(Steer{Verb::dead_requeue, "jobs", "", 1}).count, 1U);
  EXPECT_EQ(store_->run(Steer{Verb::dead_requeue, "jobs", "", 1}).count, 0U);
  got = store_->claim();
  EXPECT_EQ(bodies(got), Texts{"poison"});
  EXPECT_EQ(got.claim->delivery, 1U);
  settle(*got.claim, Verdict::dead, "again");
  EXPECT_EQ(store_->run(Inspect{"jobs"}).queues.at(0).dead, 1U);
  EXPECT_EQ(store_->run(Steer{Verb::dead_drop, "jobs", "", 1}).status.code(), Code::not_found);
  EXPECT_EQ(store_->run(Steer{Verb::dead_drop, "jobs", "", 0}).count, 1U);
  EXPECT_EQ(store_->run(Inspect{"jobs"}).queues.at(0).dead, 0U);
  EXPECT_EQ(bodies(store_->claim()), Texts{"fine"});
  EXPECT_EQ(sql("SELECT n FROM vtx_tally WHERE what = 'skipped'"), "1");
}

TEST_F(Claims, NumbersOfDeletedDeadLettersAreNotGivenOutAgain) {
  ASSERT_TRUE(store_->send({"a", "b"}).ok());
  settle(*store_->claim(1).claim, Verdict::dead);
  Driven other(path_);
  other.open();
  other.declare("jobs.dead");
  auto letter = other.claim();
  ASSERT_TRUE(letter.claim);
  other.ack(*letter.claim);
  settle(*store_->claim(1).claim, Verdict::dead);
  letter = other.claim();
  ASSERT_TRUE(letter.claim);
  EXPECT_EQ(letter.claim->first, 2U);
  EXPECT_EQ(bodies(letter), Texts{"b"});
}

TEST_F(Claims, StoredTimesDoNotGoBack) {
  ASSERT_TRUE(store_->send({"a"}).ok());
  Foreign(path_).run("UPDATE vtx_message SET stored = stored + 3600000");
  const auto ahead = sql("SELECT stored FROM vtx_message");
  ASSERT_TRUE(store_->send({"b"}).ok());
  EXPECT_EQ(sql("SELECT min(stored) FROM vtx_message"), ahead);
  store_->ack(*store_->claim().claim);
  EXPECT_EQ(tend(), 2U);
  ASSERT_TRUE(store_->send({"c"}).ok());
  EXPECT_EQ(sql("SELECT min(stored) FROM vtx_message"), ahead);
}

TEST_F(Claims, AClockSetBackHoldsNothingUpThatIsDueAtOnce) {
  vtx::test::ManualClock clock;
  Driven other(path_, {}, clock);
  other.open();
  other.declare();
  ASSERT_TRUE(other.send({"a", "b"}).ok());
  const auto got = other.claim();
  Commit commit;
  commit.settles.push_back(other.settle_all(*got.claim, Verdict::nacked));
  other.run(std::move(commit));
  clock.set_wall(clock.wall() - 24h);
  EXPECT_EQ(bodies(other.claim()), Texts{"a"});
}

TEST_F(Claims, OneOperationThatCannotBeDoneDoesNotFailItsNeighbours) {
  Foreign(path_).run(
      "CREATE TRIGGER picky BEFORE INSERT ON vtx_message WHEN NEW.body = CAST('bad' AS BLOB) BEGIN SELECT RAISE(ABORT, "
      "'not that one'); END");
  std::vector<u64> tickets;
  std::vector<std::string> texts{"good", "bad", "fine"};
  std::vector<Message> messages(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    messages[i].body = std::as_bytes(std::span(texts[i]));
    Commit commit;
    commit.producer[0] = static_cast<std::byte>(i + 1);
    commit.counter = 1;
    commit.appends.push_back({store_->stream, {messages[i]}, "", -1});
    tickets.push_back(store_->submit(std::move(commit)));
  }
  EXPECT_TRUE(store_->wait(tickets[0]).status.ok());
  const Status refused = store_->wait(tickets[1]).status;
  EXPECT_NE(refused.text().find("not that one"), std::string::npos) << refused.text();
  EXPECT_TRUE(store_->wait(tickets[2]).status.ok());
  EXPECT_EQ(bodies(store_->claim()), (Texts{"good", "fine"}));
}

}  // namespace
}  // namespace vtx::sqlite::test
