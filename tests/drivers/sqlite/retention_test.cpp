/* SPDX-License-Identifier: MPL-2.0 */
//
// Retention with what only SQLite has: the count of bytes that senders by SQL keep too, and a clock in the test's hands.
#include "faulty_vfs.hpp"
#include "harness.hpp"
#include "support/manual_clock.hpp"

namespace vtx::sqlite::test {
namespace {

class SqliteRetention : public SqliteTest {
 protected:
  void SetUp() override {
    SqliteTest::SetUp();
    faults() = {};
    register_faulty_vfs();
    store_ = std::make_unique<Driven>(path_, std::map<std::string, std::string>{{"vfs", "faulty"}}, clock_);
    store_->open();
    store_->declare();
    foreign_ = std::make_unique<Foreign>(path_);
  }
  void TearDown() override {
    faults() = {};
    foreign_.reset();
    store_.reset();
    SqliteTest::TearDown();
  }
  void declare(const std::string& retain) {
    EXPECT_TRUE(store_->run(OpenQueue{"jobs", retain, {}, {}, true, true}).status.ok());
  }
  /// Until nothing is left to do.
  u64 tend() {
    u64 removed = 0;
    for (Completion done = store_->run(Tend{"jobs"});; done = store_->run(Tend{"jobs"})) {
      removed += done.count;
      if (!done.more) return removed;
    }
  }
  void send_by_sql(const std::string& body) {
    foreign_->run("INSERT INTO vtx_send (queue, body) VALUES ('jobs', " + body + ")");
  }
  std::string rows_of(Id stream) {
    return foreign_->value("SELECT count(*) FROM vtx_message WHERE id >> 43 = " + std::to_string(stream));
  }
  std::string counted() { return foreign_->value("SELECT ifnull(bytes, 'none') FROM vtx_stream"); }
  std::string there() { return foreign_->value("SELECT group_concat(seq, ' ') FROM vtx_message"); }

  vtx::test::ManualClock clock_;
  std::unique_ptr<Driven> store_;
  std::unique_ptr<Foreign> foreign_;
};

TEST_F(SqliteRetention, CountsBytesOfBothKindsOfSenders) {
  declare("20B");
  EXPECT_EQ(tend(), 0U);
  ASSERT_TRUE(store_->send({"12345", "12345"}).ok());
  send_by_sql("'12345'");
  send_by_sql("'\u00e4\u00f6\u00fc'");  // bytes count, not letters
  send_by_sql("x'00ff'");
  send_by_sql("12");  // a number is sent as its text
  send_by_sql("''");
  EXPECT_EQ(counted(), "25");
  EXPECT_EQ(tend(), 1U);
  EXPECT_EQ(counted(), "20");
  EXPECT_EQ(there(), "2 3 4 5 6 7");
  EXPECT_EQ(bodies(store_->run(Read{store_->stream, 4, {}})),
            (std::vector<std::string>{"\u00e4\u00f6\u00fc", std::string("\0\xff", 2), "12", ""}));
  ASSERT_TRUE(store_->send({"1"}).ok());
  EXPECT_EQ(tend(), 1U);
  EXPECT_EQ(counted(), "16");
}

TEST_F(SqliteRetention, WhatAnApplicationTakesBackIsNotCounted) {
  declare("10B");
  tend();
  foreign_->run("BEGIN IMMEDIATE");
  send_by_sql("'1234567890'");
  send_by_sql("'1234567890'");
  EXPECT_EQ(counted(), "20");
  foreign_->run("ROLLBACK");
  EXPECT_EQ(counted(), "0");
  foreign_->run("BEGIN IMMEDIATE");
  send_by_sql("'123'");
  foreign_->run("SAVEPOINT one");
  send_by_sql("'1234567890'");
  foreign_->run("ROLLBACK TO one; COMMIT");
  EXPECT_EQ(counted(), "3");
  EXPECT_EQ(tend(), 0U);
  EXPECT_EQ(there(), "1");
}

TEST_F(SqliteRetention, CountsOnlyWhereASizeIsDeclared) {
  ASSERT_TRUE(store_->send({"12345"}).ok());
  send_by_sql("'12345'");
  tend();
  EXPECT_EQ(counted(), "none");
  declare("100B");
  tend();
  EXPECT_EQ(counted(), "10");
  declare("forever");
  ASSERT_TRUE(store_->send({"12345"}).ok());
  tend();
  EXPECT_EQ(counted(), "none");
  send_by_sql("'1'");
  EXPECT_EQ(counted(), "none");
}

TEST_F(SqliteRetention, CountsAgainInStepsWhenASizeIsDeclaredAnew) {
  constexpr int kMessages = 10'000;
  ASSERT_TRUE(store_->send(std::vector<std::string>(kMessages, "x"), false).ok());
  declare("9000B");
  EXPECT_EQ(store_->run(Tend{"jobs"}).count, 0U);
  // Half counted; what comes meanwhile is counted once.
  send_by_sql("'x'");
  ASSERT_TRUE(store_->send({"x"}).ok());
  EXPECT_EQ(tend(), 1002U);
  EXPECT_EQ(counted(), "9000");
  EXPECT_EQ(tend(), 0U);
  declare("1B");
  EXPECT_EQ(tend(), 8999U);
  EXPECT_EQ(there(), std::to_string(kMessages + 2));
}

TEST_F(SqliteRetention, GoesByAgeToTheMillisecond) {
  clock_.set_wall(StoreTime(4'000'000'000'000ms));
  declare("10s");
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(store_->send({std::to_string(i), "x"}).ok());
    clock_.advance(1s);
  }
  EXPECT_EQ(tend(), 0U);  // the first two are ten seconds old, no more
  clock_.advance(1ms);
  EXPECT_EQ(tend(), 2U);
  clock_.advance(2998ms);
  EXPECT_EQ(tend(), 4U);
  clock_.advance(1ms);
  EXPECT_EQ(tend(), 0U);
  EXPECT_EQ(store_->run(Locate{store_->stream, "-9s"}).first, 9U);
  EXPECT_EQ(store_->run(Locate{store_->stream, "-8999ms"}).first, 11U);
  clock_.advance(1h);
  EXPECT_EQ(tend(), 14U);
}

TEST_F(SqliteRetention, ATimeThatWasSetBackKeepsTheOrder) {
  ASSERT_TRUE(store_->send({"1"}).ok());
  const auto first = store_->run(Read{store_->stream, 1, {}}).messages.at(0).stored;
  clock_.set_wall(first - 1h);
  ASSERT_TRUE(store_->send({"2"}).ok());
  EXPECT_EQ(store_->run(Read{store_->stream, 2, {}}).messages.at(0).stored, first);
  clock_.set_wall(first + 1s);
  ASSERT_TRUE(store_->send({"3"}).ok());
  EXPECT_EQ(store_->run(Locate{store_->stream, "-1s"}).first, 1U);
  EXPECT_EQ(store_->run(Locate{store_->stream, "-999ms"}).first, 3U);
}

TEST_F(SqliteRetention, ASlowGroupOfSqlSendersLosesWhatIsCounted) {
  declare("2");
  for (int i = 0; i < 5; ++i) send_by_sql("'x'");
  EXPECT_EQ(tend(), 3U);
  const auto stats = store_->run(Inspect{"jobs"}).queues.at(0);
  EXPECT_EQ(stats.groups.at(0).trimmed, 3U);
  EXPECT_EQ(store_->claim().claim->first, 4U);
}

TEST_F(SqliteRetention, ATendThatIsRolledBackKeepsWhoseTurnItWas) {
  declare("1");
  const Id first = store_->stream;
  const Id second = store_->run(OpenStream{store_->queue, "main", "", 3}).id;
  for (const Id stream : {first, second}) {
    store_->stream = stream;
    ASSERT_TRUE(store_->send(std::vector<std::string>(9000, "x"), false).ok());
  }
  EXPECT_EQ(store_->run(Tend{"jobs"}).count, 4000U);
  EXPECT_EQ(rows_of(first), "5000");
  faults().write_result = SQLITE_FULL;
  EXPECT_EQ(store_->run(Tend{"jobs"}).status.code(), Code::no_space);
  faults() = {};
  EXPECT_EQ(rows_of(second), "9000");
  EXPECT_EQ(store_->run(Tend{"jobs"}).count, 4000U);
  EXPECT_EQ(rows_of(second), "5000") << "the first stream had its turn, and has it again";
}

TEST_F(SqliteRetention, ATendThatIsRolledBackKeepsWhatWasSettled) {
  std::vector<Id> mailboxes;  // more than have their turn in one call
  for (int i = 0; i < 150; ++i)
    mailboxes.push_back(store_->run(OpenStream{store_->queue, "mailbox", std::to_string(1000 + i), 0}).id);
  store_->stream = mailboxes.at(100);
  store_->group = store_->run(OpenGroup{store_->queue, "mailbox", "1100", "", "oldest", {}, {}}).id;
  EXPECT_EQ(tend(), 0U);  // each has had its turn
  ASSERT_TRUE(store_->send({"x"}).ok());
  store_->ack(*store_->claim().claim);
  EXPECT_EQ(rows_of(store_->stream), "1");
  const auto tending = store_->submit(Tend{"jobs"});
  Commit append;  // in the same transaction, behind it
  append.appends.push_back({store_->stream, {Message{}}, "", -1});
  const auto appending = store_->submit(std::move(append));
  faults().write_result = SQLITE_FULL;
  EXPECT_EQ(store_->wait(tending).status.code(), Code::no_space);
  EXPECT_EQ(store_->wait(appending).status.code(), Code::no_space);
  faults() = {};
  EXPECT_EQ(store_->run(Tend{"jobs"}).count, 1U);
  EXPECT_EQ(rows_of(store_->stream), "0");
}

}  // namespace
}  // namespace vtx::sqlite::test
