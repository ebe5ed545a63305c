/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: what retention lets go, never above an unsettled message, and what it must leave behind.
#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

TEST_P(StoreQueueContract, RetiresWhatEveryGroupHasSettled) {
  const Id slow = a_->group(queue_, "slow");
  a_->append(stream_, numbers(1, 10));
  EXPECT_EQ(a_->drain(group_, holder_), numbers(1, 10));
  EXPECT_EQ(a_->tend("q"), 0U);
  const Completion got = a_->claim(slow, holder_, 6);
  EXPECT_EQ(a_->tend("q"), 0U);
  a_->settle({settle_all(got)});
  EXPECT_EQ(a_->tend("q"), 6U);
  EXPECT_EQ(a_->tend("q"), 0U);
  EXPECT_EQ(a_->read(stream_), numbers(7, 10));
  EXPECT_EQ(a_->stats("q").messages, 4U);
  EXPECT_EQ(a_->stats("q").tail, 7U);
  EXPECT_EQ(a_->drain(slow, holder_), numbers(7, 10));
}

TEST_P(StoreQueueContract, KeepsEverythingFromTheFirstOpenMessageOn) {
  a_->append(stream_, numbers(1, 200));
  const Completion got = claim();
  std::vector<u64> done = all_of(*got.claim);
  done[1] &= ~(u64{1} << 10);  // message 75
  a_->settle({{group_, got.claim->id, done, {}}});
  EXPECT_EQ(a_->tend("q"), 74U);
  EXPECT_EQ(a_->read(stream_), numbers(75, 200));
  a_->settle({settle_all(got)});
  EXPECT_EQ(a_->tend("q"), 126U);
}

TEST_P(StoreQueueContract, KeepsWhatWaitsForRedelivery) {
  a_->append(stream_, numbers(1, 5));
  Settle settle = settle_all(claim());
  settle.odd = {{2, Verdict::nacked, Ms{200}, ""}};
  a_->settle({settle});
  EXPECT_EQ(a_->tend("q"), 2U);
  place().advance(Ms{210});
  const Completion again = claim_again();
  EXPECT_EQ(a_->tend("q"), 0U);
  a_->settle({settle_all(again)});
  EXPECT_EQ(a_->tend("q"), 3U);
}

TEST_P(StoreContract, KeepsAllWhileThereIsNoGroup) {
  const auto a = open();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  a->append(stream, numbers(1, 5));
  EXPECT_EQ(a->tend("q"), 0U);
  EXPECT_EQ(a->drain(a->group(queue), a->holder()), numbers(1, 5));
}

TEST_P(StoreContract, KeepsAllForever) {
  const auto a = open();
  const Id queue = a->queue("history", "forever");
  const Id stream = a->stream(queue);
  a->append(stream, numbers(1, 5));
  EXPECT_EQ(a->drain(a->group(queue), a->holder()), numbers(1, 5));
  EXPECT_EQ(a->tend("history"), 0U);
  EXPECT_EQ(a->drain(a->group(queue, "new"), a->holder()), numbers(1, 5));
}

TEST_P(StoreQueueContract, AnEmptiedStreamGoesOn) {
  a_->append(stream_, numbers(1, 5));
  a_->drain(group_, holder_);
  EXPECT_EQ(a_->tend("q"), 5U);
  EXPECT_EQ(a_->run(driver::OpenStream{queue_, "main", "", 0}).head, 5U);
  a_.reset();
  a_ = open();
  EXPECT_EQ(a_->append(stream_, {"6"}), 6U);
  EXPECT_EQ(a_->drain(group_, a_->holder()), numbers(6, 6));
}

TEST_P(StoreQueueContract, TendsInBoundedSteps) {
  constexpr u64 kBatches = 4;
  for (u64 i = 0; i < kBatches; ++i) a_->append(stream_, numbers(1, driver::kMaxBatch));
  a_->drain(group_, holder_);
  EXPECT_EQ(a_->tend("q"), kBatches * driver::kMaxBatch);
  EXPECT_EQ(a_->stats("q").messages, 0U);
}

TEST_P(StoreQueueContract, RetiresEachPriorityByItself) {
  const Id urgent = a_->stream(queue_, 9);
  a_->append(urgent, numbers(1, 3));
  a_->append(stream_, numbers(1, 3));
  a_->settle({settle_all(claim())});
  EXPECT_EQ(a_->tend("q"), 3U);
  EXPECT_TRUE(a_->read(urgent).empty());
  EXPECT_EQ(a_->read(stream_), numbers(1, 3));
}

TEST_P(StoreContract, TendingAnUnknownQueueIsNotFound) {
  EXPECT_EQ(open()->ask(driver::Tend{"nowhere"}).status.code(), Code::not_found);
}

}  // namespace
}  // namespace vtx::test
