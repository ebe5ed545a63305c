/* SPDX-License-Identifier: MPL-2.0 */
//
// Many processes on one file: killed, paused, and waking each other.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "harness.hpp"

namespace vtx::sqlite::test {
namespace {

class Processes : public SqliteTest {
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
  std::vector<HolderBeat> seen() { return store_->run(Beat{store_->holder, 5000ms}).holders; }
  std::unique_ptr<Driven> store_;
};

TEST_F(Processes, AKilledHolderIsSeenDeadAndItsSlotUsedAgain) {
  ASSERT_TRUE(store_->send({"a", "b"}).ok());
  Process holder("hold", {path_});
  EXPECT_EQ(holder.read_line(), "1-2");
  ASSERT_EQ(seen().size(), 1U);
  EXPECT_FALSE(seen()[0].dead);
  holder.signal(SIGKILL);
  holder.wait();
  ASSERT_TRUE(seen()[0].dead);
  EXPECT_EQ(store_->run(TakeOver{seen()[0].holder, 0}).count, 1U);
  EXPECT_TRUE(seen().empty());
  EXPECT_EQ(store_->claim().claim->delivery, 2U);
  Foreign look(path_);
  const auto slot = look.value("SELECT max(slot) FROM vtx_holder");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store_->send({"c"}).ok());
    Process next("hold", {path_});
    EXPECT_NE(next.read_line(), "");
    EXPECT_LE(std::stoi(look.value("SELECT max(slot) FROM vtx_holder")), std::stoi(slot) + 2);
    next.signal(SIGKILL);
    next.wait();
  }
}

TEST_F(Processes, APausedHolderIsFencedWhenItGoesOn) {
  ASSERT_TRUE(store_->send({"a", "b"}).ok());
  Process holder("hold", {path_});
  EXPECT_EQ(holder.read_line(), "1-2");
  holder.signal(SIGSTOP);
  const auto beat = seen().at(0);
  EXPECT_FALSE(beat.dead);
  EXPECT_EQ(store_->run(TakeOver{beat.holder, beat.count}).count, 1U);
  holder.signal(SIGCONT);
  holder.write_line("go on");
  EXPECT_EQ(holder.read_line(), "fenced");
  EXPECT_EQ(holder.wait(), 0);
}

TEST_F(Processes, WhatAKilledProducerCalledDurableIsThere) {
  int durable = 0;
  for (int round = 0; round < 8; ++round) {
    Process producer("produce", {path_, "100000", "7"});
    for (int i = 0; i < 1 + round * 5; ++i) {
      ASSERT_NE(producer.read_line(), "");
      durable += 7;
    }
    producer.signal(SIGKILL);
    producer.wait();
  }
  Foreign look(path_);
  EXPECT_EQ(look.value("PRAGMA integrity_check"), "ok");
  const int stored = std::stoi(look.value("SELECT count(*) FROM vtx_message"));
  EXPECT_GE(stored, durable);
  EXPECT_EQ(stored % 7, 0) << "half a batch was stored";
  EXPECT_EQ(look.value("SELECT max(seq) FROM vtx_message"), std::to_string(stored));
}

TEST_F(Processes, WakeAWaiterInAnother) {
  Process consumer("drain", {path_, "20"});
  EXPECT_EQ(consumer.read_line(), "ready");
  for (int i = 0; i < 20; ++i) {
    const auto text = std::to_string(i);
    ASSERT_TRUE(store_->send({text}).ok());
    EXPECT_EQ(consumer.read_line(), text);  // before the next is sent
  }
  EXPECT_EQ(consumer.wait(), 0);
}

TEST_F(Processes, ShareTheWorkAndTheLogStaysShort) {
  constexpr int kProducers = 4;
  constexpr int kEach = 3000;
  std::vector<std::unique_ptr<Process>> producers, consumers;
  for (int i = 0; i < kProducers; ++i)
    producers.push_back(
        std::make_unique<Process>("produce", std::vector<std::string>{path_, std::to_string(kEach), "10"}));
  std::set<std::string> all;
  std::uintmax_t longest = 0;
  while (all.size() < kProducers * kEach) {
    const auto got = store_->claim();
    if (!got.claim) {
      store_->wait_event(Event::changed);
      continue;
    }
    for (const auto& text : bodies(got)) EXPECT_TRUE(all.insert(text).second) << text << " came twice";
    store_->ack(*got.claim);
    store_->run(Tend{"jobs"});
    longest = std::max(longest, std::filesystem::file_size(path_ + "-wal"));
    ASSERT_FALSE(HasFailure());
  }
  for (auto& producer : producers) {
    while (!producer->read_line().empty()) {
    }
    EXPECT_EQ(producer->wait(), 0);
  }
  EXPECT_LT(longest, 24U * 1024 * 1024);
  EXPECT_EQ(Foreign(path_).value("PRAGMA integrity_check"), "ok");
}

}  // namespace
}  // namespace vtx::sqlite::test
