/* SPDX-License-Identifier: MPL-2.0 */
//
// The in-memory store's own cases: that each fault does what its header says, so that a test of the engine can
// rely on it.
#include <gtest/gtest.h>
#include <poll.h>

#include "contract/store_session.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_store.hpp"

namespace vtx::test {
namespace {

class MemoryFaultsTest : public testing::Test {
 protected:
  driver::Commit commit_of(const std::string& body) {
    driver::Message message;
    message.body = std::as_bytes(std::span(body));
    driver::Commit commit = a_.next_commit();
    commit.appends.push_back({stream_, {message}, {}, -1});
    return commit;
  }
  /// A second look, by another store.
  std::vector<std::string> stored() {
    return StoreSession(std::make_unique<MemoryStore>(database_), endpoint_).read(stream_);
  }
  bool readable() const {
    pollfd fd{store_->fd(), POLLIN, 0};
    return ::poll(&fd, 1, 0) == 1;
  }

  ManualClock clock_;
  driver::Endpoint endpoint_;
  std::shared_ptr<MemoryDatabase> database_ = std::make_shared<MemoryDatabase>(clock_);
  std::shared_ptr<MemoryFaults> faults_ = std::make_shared<MemoryFaults>();
  MemoryStore* store_ = new MemoryStore(database_, faults_);  // owned by a_
  StoreSession a_{std::unique_ptr<driver::Store>(store_), endpoint_};
  Id queue_ = a_.queue("q");
  Id stream_ = a_.stream(queue_);
  const std::string x_ = "x";
  const std::string y_ = "y";
};

TEST_F(MemoryFaultsTest, NthOperationOfAKindFails) {
  faults_->fail<driver::Commit>(2, Status(Code::busy, "busy"));
  EXPECT_TRUE(a_.ask(commit_of(x_)).status.ok());
  a_.run(driver::Read{stream_, 1, {}});
  const driver::Commit failed = commit_of(y_);
  EXPECT_EQ(a_.ask(failed).status.code(), Code::busy);
  EXPECT_EQ(stored(), std::vector{x_});
  EXPECT_TRUE(a_.ask(failed).status.ok());
  EXPECT_EQ(stored(), (std::vector{x_, y_}));
}

TEST_F(MemoryFaultsTest, LostAnswerIsInDoubtAndResubmittedOnce) {
  for (const bool applied : {true, false}) {
    const std::size_t before = stored().size();
    faults_->lose_answer(1, applied);
    const driver::Commit commit = commit_of(x_);
    const u64 next = a_.submit(commit);
    const u64 after = a_.submit(driver::Inspect{});
    EXPECT_EQ(a_.wait(next).status.code(), Code::in_doubt);
    EXPECT_EQ(a_.wait(after).status.code(), Code::lost);
    EXPECT_FALSE(a_.opened());
    EXPECT_EQ(stored().size(), before + (applied ? 1 : 0));
    a_.start();
    EXPECT_TRUE(a_.ask(commit).status.ok());
    EXPECT_EQ(stored().size(), before + 1);
  }
}

TEST_F(MemoryFaultsTest, LostSessionKeepsItsHolders) {
  a_.append(stream_, {"x"});
  const Id group = a_.group(queue_);
  const Id holder = a_.holder();
  const Completion got = a_.claim(group, holder);
  faults_->lose_session();
  EXPECT_TRUE(readable());
  EXPECT_EQ(a_.ask(driver::Inspect{}).status.code(), Code::lost);
  EXPECT_FALSE(a_.opened());
  a_.start();
  EXPECT_EQ(a_.run(driver::Beat{holder, Ms{1}}).id, holder);
  EXPECT_TRUE(a_.settle({settle_all(got)}).empty());
}

TEST_F(MemoryFaultsTest, RefusesToStartUntilToldOtherwise) {
  a_.stop();
  faults_->refuse_start(Status(Code::denied, "no"));
  EXPECT_EQ(store_->start(endpoint_, true).code(), Code::denied);
  faults_->refuse_start({});
  faults_->lose_openings(1);
  EXPECT_TRUE(store_->start(endpoint_, true).ok());
  std::vector<Completion> news;
  store_->poll(news);
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].event, driver::Event::lost);
  a_.start();
  EXPECT_EQ(a_.append(stream_, {"x"}), 1U);
}

TEST_F(MemoryFaultsTest, FullStoreReadsButDoesNotWrite) {
  a_.append(stream_, {"x"});
  faults_->set_full(true);
  const driver::Commit commit = commit_of(y_);
  EXPECT_EQ(a_.ask(commit).status.code(), Code::no_space);
  EXPECT_EQ(a_.ask(commit).status.code(), Code::no_space);
  EXPECT_EQ(a_.read(stream_), std::vector{x_});
  faults_->set_full(false);
  EXPECT_TRUE(a_.ask(commit).status.ok());
  EXPECT_EQ(stored(), (std::vector{x_, y_}));
}

TEST_F(MemoryFaultsTest, LossOfPowerTakesWhatWasNotSynced) {
  database_->remember_synced();
  const Id group = a_.group(queue_);
  a_.append(stream_, {"kept"}, true);
  const Id holder = a_.holder();
  a_.settle({settle_all(a_.claim(group, holder))});
  const Id queue = queue_;
  a_.append(stream_, {"lost"}, false);
  database_->lose_power();
  EXPECT_EQ(a_.ask(driver::Inspect{}).status.code(), Code::lost);
  a_.start();
  EXPECT_EQ(a_.queue("q"), queue);
  EXPECT_EQ(a_.read(stream_), std::vector<std::string>{"kept"});
  // The group was made after the last look but before the sync; the settlement came after it.
  EXPECT_EQ(a_.drain(a_.group(queue_), a_.holder()), std::vector<std::string>{"kept"});
}

TEST_F(MemoryFaultsTest, ShuffledAnswersOvertakeOnlyAcrossStreams) {
  faults_->shuffle(7);
  const Id other = a_.stream(a_.queue("other"));
  std::vector<Id> streams{stream_, other};
  bool overtook = false;
  u64 ticket = 1000;
  std::map<Id, u64> newest;
  std::map<u64, Id> stream_of;
  std::vector<Completion> answers;
  for (int i = 0; i < 100; ++i) {
    stream_of[++ticket] = streams[static_cast<std::size_t>(i % 2)];
    store_->submit(ticket, driver::Read{stream_of[ticket], 1, {}});
  }
  while (answers.size() < 100) {
    ASSERT_TRUE(readable());
    store_->poll(answers);
  }
  u64 last = 0;
  for (const Completion& answer : answers) {
    u64& before = newest[stream_of.at(answer.ticket)];
    EXPECT_GT(answer.ticket, before);
    before = answer.ticket;
    overtook = overtook || answer.ticket < last;
    last = answer.ticket;
  }
  EXPECT_TRUE(overtook);
  EXPECT_FALSE(readable());
}

TEST_F(MemoryFaultsTest, ClockOfTheDatabaseNeverGoesBack) {
  a_.append(stream_, {"x"});
  clock_.set_wall(driver::StoreTime{});
  a_.append(stream_, {"y"});
  const Completion got = a_.run(driver::Read{stream_, 1, {}});
  EXPECT_EQ(got.messages[0].stored, got.messages[1].stored);
}

TEST(MemoryDriver, TableLeadsToThePlaceOfThePath) {
  ManualClock clock;
  const auto faults = std::make_shared<MemoryFaults>();
  place_memory("here", {std::make_shared<MemoryDatabase>(clock), faults});
  const vtx_driver_t* table = vtx_memory_driver();
  EXPECT_EQ(table->abi_version, static_cast<u32>(VTX_DRIVER_ABI_VERSION));
  EXPECT_EQ(table->struct_size, sizeof(vtx_driver_t));
  const auto open = [&](const std::string& path) {
    driver::Endpoint endpoint;
    endpoint.path = path;
    return std::make_unique<StoreSession>(std::unique_ptr<driver::Store>(static_cast<driver::Store*>(table->store())),
                                          endpoint);
  };
  const auto here = open("here");
  const auto there = open("there");
  const Id stream = here->stream(here->queue("q"));
  here->append(stream, {"x"});
  EXPECT_EQ(open("here")->read(stream), std::vector<std::string>{"x"});
  EXPECT_EQ(there->ask(driver::Inspect{"q"}).status.code(), Code::not_found);
  faults->set_full(true);
  EXPECT_EQ(here->ask(driver::Tend{"q"}).status.code(), Code::no_space);
}

}  // namespace
}  // namespace vtx::test
