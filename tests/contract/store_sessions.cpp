/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: sessions. What outlives them, what becomes of operations on their way, and how a sleeping store learns
// that another one wrote.
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

TEST_P(StoreQueueContract, EverythingOutlivesTheSession) {
  a_->append(stream_, numbers(1, 6));
  const Completion settled = claim(2);
  a_->settle({settle_all(settled)});
  const Completion failed = claim(1);
  a_->settle({settle_all(failed, Verdict::nacked, "because")});
  a_.reset();

  a_ = open();
  EXPECT_EQ(a_->queue("q"), queue_);
  EXPECT_EQ(a_->stream(queue_), stream_);
  EXPECT_EQ(a_->group(queue_), group_);
  holder_ = a_->holder();
  const Completion again = claim_again();
  EXPECT_EQ(texts(again), numbers(3, 3));
  EXPECT_EQ(again.claim->delivery, 2U);
  EXPECT_EQ(again.claim->reason, "because");
  a_->settle({settle_all(again)});
  EXPECT_EQ(a_->drain(group_, holder_), numbers(4, 6));
}

TEST_P(StoreQueueContract, IdsOfClaimsAndHoldersAreNotUsedAgain) {
  std::set<Id> claims;
  std::set<Id> holders{holder_};
  for (int i = 0; i < 5; ++i) {
    a_->append(stream_, {"x"});
    const Completion got = claim();
    EXPECT_TRUE(claims.insert(got.claim->id).second);
    a_->settle({settle_all(got)});
    a_.reset();
    a_ = open();
    holder_ = a_->holder();
    EXPECT_TRUE(holders.insert(holder_).second);
  }
}

TEST_P(StoreQueueContract, CommitOnItsWayWhenTheSessionEndsIsStoredOnce) {
  const std::string body = "once";
  driver::Commit commit = a_->next_commit();
  driver::Message message;
  message.body = std::as_bytes(std::span(body));
  commit.appends.push_back({stream_, {message}, {}, -1});
  const u64 ticket = a_->submit(commit);
  a_->stop();
  const Code code = a_->wait(ticket).status.code();
  EXPECT_TRUE(code == Code::ok || code == Code::lost || code == Code::in_doubt) << static_cast<int>(code);
  a_->start();
  a_->run(commit);
  EXPECT_EQ(a_->read(stream_), std::vector{body});
}

TEST_P(StoreQueueContract, AnswersEveryOperationWhenTheSessionEnds) {
  a_->append(stream_, numbers(1, 2));
  const std::vector<u64> tickets{a_->submit(driver::Read{stream_, 1, {}}), a_->submit(driver::Inspect{}),
                                 a_->submit(driver::Tend{"q"}), a_->submit(driver::Beat{holder_, Ms{5000}})};
  a_->stop();
  a_->stop();
  for (const u64 ticket : tickets) {
    const Code code = a_->wait(ticket).status.code();
    EXPECT_TRUE(code == Code::ok || code == Code::lost) << static_cast<int>(code);
  }
}

TEST_P(StoreQueueContract, OneDescriptorServesAllSessions) {
  const int fd = a_->store().fd();
  for (int i = 0; i < 3; ++i) {
    a_->stop();
    a_->start();
    EXPECT_EQ(a_->store().fd(), fd);
    EXPECT_EQ(a_->append(stream_, {"x"}), static_cast<Seq>(i + 1));
  }
}

TEST_P(StoreQueueContract, TellsAWaitingStoreWhatBecameClaimable) {
  const auto b = open();
  const Id other = b->holder();
  // Who has found nothing waits, and is told whatever another store does that helps.
  EXPECT_FALSE(b->claim(group_, other).claim);
  a_->append(stream_, numbers(1, 2));
  EXPECT_TRUE(b->wait_changed("q")) << "appended";
  const Completion got = b->claim(group_, other);

  EXPECT_FALSE(claim().claim);
  b->settle({settle_all(got, Verdict::unseen)});
  EXPECT_TRUE(a_->wait_changed("q")) << "given back";
  EXPECT_EQ(texts(claim()), numbers(1, 2));

  EXPECT_FALSE(b->claim(group_, other).claim);
  a_->run(driver::TakeOver{holder_, 1});
  EXPECT_TRUE(b->wait_changed("q")) << "taken over";
  b->settle({settle_all(b->claim(group_, other, 1, true), Verdict::dead, "no")});
  b->settle({settle_all(b->claim(group_, other, 1, true))});

  EXPECT_FALSE(b->claim(group_, other).claim);
  a_->run(driver::Steer{driver::Verb::dead_requeue, "q", "", 0});
  EXPECT_TRUE(b->wait_changed("q")) << "requeued";
  EXPECT_EQ(b->drain(group_, other), numbers(1, 1));
}

/// Claims, finds nothing, sleeps on the descriptor: as an engine waits. Ends when it has `count` messages.
void consume(StoreSession& session, Id group, Id holder, u64 count, std::vector<std::string>& all) {
  while (all.size() < count) {
    const Completion got = session.claim(group, holder);
    if (!got.claim) {
      if (!session.wait_changed("q")) {
        ADD_FAILURE() << "slept through message " << all.size() + 1;
        return;
      }
      continue;
    }
    std::ranges::copy(texts(got), std::back_inserter(all));
    session.settle({settle_all(got)});
  }
}

TEST_P(StoreQueueContract, NoWakeUpIsLost) {
  constexpr u64 kCount = 500;
  const auto b = open();
  const Id other = b->holder();
  std::vector<std::string> all;
  std::thread consumer([&] { consume(*b, group_, other, kCount, all); });
  for (u64 i = 1; i <= kCount; ++i) {
    a_->append(stream_, {std::to_string(i)});
    // Now and then let the consumer fall asleep, or catch it falling asleep.
    if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::microseconds(i * 7 % 1000));
  }
  consumer.join();
  EXPECT_EQ(all, numbers(1, kCount));
}

TEST_P(StoreQueueContract, SeveralStoresWriteAtOnce) {
  constexpr u64 kStores = 4;
  constexpr u64 kCommits = 50;
  std::vector<std::unique_ptr<StoreSession>> stores;
  for (u64 i = 0; i < kStores; ++i) stores.push_back(open());
  std::vector<std::thread> threads;
  for (u64 i = 0; i < kStores; ++i)
    threads.emplace_back([&, i] {
      for (u64 n = 0; n < kCommits; ++n) stores[i]->append(stream_, {std::to_string(i), std::to_string(i)});
    });
  for (auto& thread : threads) thread.join();
  const auto all = a_->read(stream_);
  ASSERT_EQ(all.size(), kStores * kCommits * 2);
  for (std::size_t i = 0; i < all.size(); i += 2) EXPECT_EQ(all[i], all[i + 1]);  // commits lie whole
  for (u64 i = 0; i < kStores; ++i)
    EXPECT_EQ(std::ranges::count(all, std::to_string(i)), static_cast<std::ptrdiff_t>(kCommits * 2));
}

}  // namespace
}  // namespace vtx::test
