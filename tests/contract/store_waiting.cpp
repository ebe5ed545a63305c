/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: a reader that found nothing is told of the next message of its stream, and so is every other one; a consumer beside it too.
#include <algorithm>
#include <thread>

#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

using driver::Read;

constexpr Ms kNotAtOnce{30};  ///< a wake-up for nothing would have come by then

/// Reads in vain, having heard of everything before.
void wait_in_vain(StoreSession& session, Id stream, Seq from) {
  while (session.wait_changed("q", Ms{2})) {
  }
  EXPECT_TRUE(session.run(Read{stream, from, {}, true}).messages.empty());
}

TEST_P(StoreQueueContract, TellsAWaitingReaderOfTheNextMessage) {
  const auto b = open();
  a_->append(stream_, numbers(1, 2));
  EXPECT_EQ(texts(b->run(Read{stream_, 1, {}, true})), numbers(1, 2));
  wait_in_vain(*b, stream_, 3);
  EXPECT_FALSE(b->wait_changed("q", kNotAtOnce));
  a_->append(stream_, numbers(3, 3));
  EXPECT_TRUE(b->wait_changed("q"));
  EXPECT_EQ(texts(b->run(Read{stream_, 3, {}, true})), numbers(3, 3));
}

TEST_P(StoreQueueContract, TellsEveryReaderOfAStream) {
  std::vector<std::unique_ptr<StoreSession>> readers;
  for (int i = 0; i < 4; ++i) readers.push_back(open());
  for (Seq next = 1; next <= 3; ++next) {
    for (const auto& reader : readers) wait_in_vain(*reader, stream_, next);
    a_->append(stream_, {std::to_string(next)});
    for (const auto& reader : readers) EXPECT_TRUE(reader->wait_changed("q")) << next;
  }
}

TEST_P(StoreQueueContract, TellsReadersAndAConsumerOfTheSameMessage) {
  const auto reader = open();
  const auto consumer = open();
  const auto both = open();
  const Id second = a_->group(queue_, "second");
  const Id other = consumer->holder();
  const Id third = both->holder();
  wait_in_vain(*reader, stream_, 1);
  EXPECT_FALSE(consumer->claim(group_, other).claim);
  wait_in_vain(*both, stream_, 1);
  EXPECT_FALSE(both->claim(second, third).claim);
  a_->append(stream_, {"1"});
  EXPECT_TRUE(reader->wait_changed("q"));
  EXPECT_TRUE(consumer->wait_changed("q"));
  EXPECT_TRUE(both->wait_changed("q"));
  EXPECT_EQ(texts(consumer->claim(group_, other)), numbers(1, 1));
  EXPECT_EQ(texts(both->claim(second, third)), numbers(1, 1));
}

TEST_P(StoreQueueContract, AReaderThatWaitsDoesNotKeepAConsumerFromBeingTold) {
  const auto b = open();
  const Id other = b->holder();
  const Id urgent = a_->stream(queue_, 9);
  b->wait_changed("q", Ms{0});
  EXPECT_FALSE(b->claim(group_, other).claim);
  EXPECT_TRUE(b->run(Read{urgent, 1, {}, true}).messages.empty());
  a_->append(stream_, {"1"});
  EXPECT_TRUE(b->wait_changed("q"));
  EXPECT_EQ(texts(b->claim(group_, other)), numbers(1, 1));
}

TEST_P(StoreQueueContract, TellsAReaderOfManyStreamsOfEach) {
  constexpr int kStreams = 40;
  const auto b = open();
  std::vector<Id> streams;
  for (int i = 0; i < kStreams; ++i)
    streams.push_back(a_->run(driver::OpenStream{queue_, "mailbox", "peer " + std::to_string(i), 0}).id);
  for (const Id last : {streams[0], streams[7], streams[39]}) {
    b->wait_changed("q", Ms{0});
    for (const Id stream : streams) b->run(Read{stream, 2, {}, true});
    a_->append(last, {"x"});
    EXPECT_TRUE(b->wait_changed("q"));
  }
}

TEST_P(StoreQueueContract, TellsAReaderWhoWantsALaterMessageOfTheNext) {
  const auto b = open();
  wait_in_vain(*b, stream_, 100);
  a_->append(stream_, {"1"});
  EXPECT_TRUE(b->wait_changed("q"));
}

TEST_P(StoreQueueContract, TellsAReaderOfAnEmptiedStream) {
  const auto b = open();
  a_->append(stream_, numbers(1, 5));
  a_->drain(group_, holder_);
  EXPECT_EQ(a_->tend("q"), 5U);
  wait_in_vain(*b, stream_, 6);
  // Through a thread of its own, or another's, news of what was before may still be on its way; who asks again is told no more.
  const bool may_be_late = !GetParam().is_alone || GetParam().sessions_hang_together;
  int told = 0;
  while (told < 10 && b->wait_changed("q", kNotAtOnce)) {
    ++told;
    wait_in_vain(*b, stream_, 6);
  }
  EXPECT_LT(told, may_be_late ? 10 : 1) << "of nothing";
  a_->append(stream_, {"6"});
  EXPECT_TRUE(b->wait_changed("q"));
}

/// Reads, finds nothing, sleeps on the descriptor: as an engine follows a stream. Ends behind message `count`.
void follow(StoreSession& session, Id stream, u64 count, std::vector<std::string>& all) {
  while (all.size() < count) {
    const Completion got = session.run(Read{stream, all.size() + 1, {}, true});
    std::ranges::copy(texts(got), std::back_inserter(all));
    if (got.messages.empty() && !session.wait_changed("q")) {
      ADD_FAILURE() << "slept through message " << all.size() + 1;
      return;
    }
  }
}

TEST_P(StoreQueueContract, ReadersFollowAStreamWithoutAGap) {
  constexpr u64 kCount = 500;
  constexpr int kReaders = 3;
  std::vector<std::unique_ptr<StoreSession>> readers;
  std::vector<std::vector<std::string>> read(kReaders);
  std::vector<std::thread> threads;
  for (int i = 0; i < kReaders; ++i) readers.push_back(open());
  for (int i = 0; i < kReaders; ++i) threads.emplace_back([&, i] { follow(*readers[i], stream_, kCount, read[i]); });
  for (u64 i = 1; i <= kCount; ++i) {
    a_->append(stream_, {std::to_string(i)});
    // Now and then let the readers fall asleep, or catch them falling asleep.
    if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::microseconds(i * 7 % 1000));
  }
  for (auto& thread : threads) thread.join();
  for (const auto& all : read) EXPECT_EQ(all, numbers(1, kCount));
}

}  // namespace
}  // namespace vtx::test
