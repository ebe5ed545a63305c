/* SPDX-License-Identifier: MPL-2.0 */
//
// Holders of several stores in one process; process_test.cpp has those of several processes.
#include "harness.hpp"
#include "support/manual_clock.hpp"

namespace vtx::sqlite::test {
namespace {

class Holders : public SqliteTest {
 protected:
  void SetUp() override {
    SqliteTest::SetUp();
    for (auto* store : {&one_, &two_}) {
      *store = std::make_unique<Driven>(path_);
      (*store)->open();
      (*store)->declare();
    }
    ASSERT_TRUE(one_->send({"a", "b", "c"}).ok());
  }
  void TearDown() override {
    one_.reset();
    two_.reset();
    SqliteTest::TearDown();
  }
  std::vector<HolderBeat> seen() { return two_->run(Beat{two_->holder, 5000ms}).holders; }
  std::unique_ptr<Driven> one_, two_;
};

TEST_F(Holders, BeatWithoutCommitting) {
  ASSERT_TRUE(one_->claim().claim);
  const auto before = seen();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0].holder, one_->holder);
  EXPECT_EQ(before[0].lease, 5000ms);
  EXPECT_FALSE(before[0].dead);
  Foreign watcher(path_);
  const auto version = watcher.value("PRAGMA data_version");
  EXPECT_TRUE(one_->run(Beat{one_->holder, 5000ms}).status.ok());
  EXPECT_EQ(watcher.value("PRAGMA data_version"), version);
  EXPECT_EQ(seen()[0].count, before[0].count + 1);
}

TEST_F(Holders, AreNotTakenOverWhileTheyBeat) {
  ASSERT_TRUE(one_->claim().claim);
  const auto before = seen()[0].count;
  one_->run(Beat{one_->holder, 5000ms});
  EXPECT_EQ(two_->run(TakeOver{one_->holder, before}).count, 0U);
  EXPECT_EQ(two_->run(TakeOver{one_->holder, before + 1}).count, 1U);
  const auto got = two_->claim();
  EXPECT_EQ(bodies(got), std::vector<std::string>{"a"});
  EXPECT_EQ(got.claim->delivery, 2U);
}

TEST_F(Holders, TooSlowAreFencedAndMayClaimAgain) {
  const auto got = one_->claim(2);
  two_->run(TakeOver{one_->holder, seen()[0].count});
  Commit commit;
  commit.settles.push_back(one_->settle_all(*got.claim));
  commit.appends.push_back({one_->stream, {Message{}}, "", 0});
  commit.appends.push_back({one_->stream, {Message{}}, "", -1});
  const auto answer = one_->run(std::move(commit));
  EXPECT_EQ(answer.fenced, std::vector<u32>{0});
  EXPECT_EQ(answer.head, 4U);  // the reply to what was fenced is not stored, the other is
  EXPECT_TRUE(one_->claim(1, true).claim);
}

TEST_F(Holders, ThatStopAreDeadAtOnce) {
  ASSERT_TRUE(one_->claim().claim);
  one_->store().stop();
  ASSERT_EQ(seen().size(), 1U);
  EXPECT_TRUE(seen()[0].dead);
  EXPECT_EQ(two_->run(TakeOver{one_->holder, 0}).count, 1U);
  EXPECT_TRUE(seen().empty());
}

TEST_F(Holders, NumbersAreNotUsedAgain) {
  const auto before = one_->holder;
  one_->store().stop();
  two_->run(Tend{"jobs"});
  one_->open();
  one_->declare();
  EXPECT_GT(one_->holder, std::max(before, two_->holder));
}

TEST_F(Holders, ReleaseNamesByDying) {
  EXPECT_TRUE(one_->run(Hold{one_->queue, "pair:up", one_->holder, false}).status.ok());
  EXPECT_TRUE(one_->run(Hold{one_->queue, "pair:up", one_->holder, false}).status.ok());
  EXPECT_EQ(two_->run(Hold{one_->queue, "pair:up", two_->holder, false}).status.code(), Code::busy);
  one_->store().stop();
  EXPECT_TRUE(two_->run(Hold{one_->queue, "pair:up", two_->holder, false}).status.ok());
}

TEST_F(Holders, LeaveNoMailboxOfAnAnonymousPeerForLong) {
  vtx::test::ManualClock clock;
  Driven survivor(path_, {}, clock);
  survivor.open();
  survivor.declare();
  Driven leaver(path_, {}, clock);
  leaver.open();
  leaver.declare();
  EXPECT_TRUE(leaver.run(Hold{leaver.queue, "peer:~1", leaver.holder, false}).status.ok());
  leaver.run(OpenGroup{leaver.queue, "mailbox", "~1", "default", "", {}, {}, 10});
  leaver.store().stop();
  const auto left = [&] {
    survivor.run(Tend{"jobs"});
    return Foreign(path_).value(
        "SELECT (SELECT count(*) FROM vtx_stream WHERE kind = 'mailbox') + (SELECT count(*) FROM vtx_hold)");
  };
  EXPECT_EQ(left(), "2");
  clock.advance(59s);
  EXPECT_EQ(left(), "2");
  clock.advance(2s);
  EXPECT_EQ(left(), "0");
  EXPECT_EQ(Foreign(path_).value("SELECT count(*) FROM vtx_holder WHERE ended IS NOT NULL"), "0");
}

TEST_F(Holders, OneWaiterIsWokenForEachCommit) {
  const vtx::test::ManualClock still;  // so that no slow look is due
  std::vector<std::unique_ptr<Driven>> waiters;
  one_->ack(*one_->claim().claim);
  for (int i = 0; i < 3; ++i) {
    waiters.push_back(std::make_unique<Driven>(path_, std::map<std::string, std::string>(), still));
    waiters.back()->open();
    waiters.back()->declare();
    EXPECT_FALSE(waiters.back()->claim().claim);
  }
  for (int sent = 1; sent <= 3; ++sent) {
    ASSERT_TRUE(one_->send({"x"}).ok());  // rings before it answers
    int woken = 0;
    for (const auto& waiter : waiters) woken += waiter->saw(Event::changed, 0ms) ? 1 : 0;
    EXPECT_EQ(woken, sent);
  }
}

TEST_F(Holders, AClaimThatLeavesSomeWakesTheNext) {
  one_->ack(*one_->claim().claim);
  EXPECT_FALSE(one_->claim().claim);
  Driven sender(path_);
  sender.open();
  sender.declare();
  EXPECT_FALSE(two_->claim().claim);
  ASSERT_TRUE(sender.send({"x", "y"}).ok());
  auto* first = one_->saw(Event::changed, 1ms) ? one_.get() : two_.get();
  auto* other = first == one_.get() ? two_.get() : one_.get();
  first->wait_event(Event::changed);
  EXPECT_TRUE(first->claim(1).more);
  other->wait_event(Event::changed);
  EXPECT_TRUE(other->claim(1).claim);
}

}  // namespace
}  // namespace vtx::sqlite::test
