/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: settlements. Cumulative bitmaps in any order, fencing, nacks and give-backs, and how often a message
// counts as delivered.
#include <algorithm>

#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

TEST_P(StoreQueueContract, SettlesOutOfOrderAcrossManyWords) {
  a_->append(stream_, numbers(1, 300));
  const Completion got = claim();
  ASSERT_EQ(got.messages.size(), 300U);
  std::vector<u64> done(5);
  // Every offset once, in an order that jumps between words: 7 and 300 have no common divisor.
  for (u64 i = 0; i < 300; ++i) {
    const u64 offset = i * 7 % 300;
    done[offset / 64] |= u64{1} << offset % 64;
    if (i % 50 == 49) {
      EXPECT_TRUE(a_->settle({{group_, got.claim->id, done, {}}}).empty());
      EXPECT_EQ(a_->stats("q").groups.at(0).claimed, 299 - i);
    }
  }
  EXPECT_EQ(a_->tend("q"), 300U);
}

TEST_P(StoreQueueContract, ClosedClaimIsFenced) {
  a_->append(stream_, numbers(1, 2));
  const Completion got = claim();
  EXPECT_TRUE(a_->settle({{group_, got.claim->id, bits({1}), {}}}).empty());
  EXPECT_TRUE(a_->settle({{group_, got.claim->id, bits({1}), {}}}).empty());  // again: nothing new, still open
  EXPECT_TRUE(a_->settle({{group_, got.claim->id, bits({0, 1}), {}}}).empty());
  EXPECT_EQ(a_->settle({{group_, got.claim->id, bits({0, 1}), {}}}), std::vector<u32>{0});
}

TEST_P(StoreQueueContract, UnknownClaimIsFenced) {
  EXPECT_EQ(a_->settle({{group_, 987654321, bits({0}), {}}}), std::vector<u32>{0});
}

TEST_P(StoreQueueContract, RepeatedVerdictsActOnce) {
  a_->append(stream_, numbers(1, 3));
  const Completion got = claim();
  const Settle part{group_, got.claim->id, bits({0}), {{0, Verdict::nacked, {}, "first"}}};
  a_->settle({part});
  a_->settle({part});
  // Cumulative: the old bit and its verdict come along with a new one.
  a_->settle(
      {{group_, got.claim->id, bits({0, 2}), {{0, Verdict::nacked, {}, "first"}, {2, Verdict::filtered, {}, ""}}}});
  const auto group = a_->stats("q").groups.at(0);
  EXPECT_EQ(group.retrying, 1U);
  EXPECT_EQ(group.claimed, 1U);
  EXPECT_EQ(group.depth, 2U);
}

TEST_P(StoreQueueContract, LateSettleOfATakenClaimIsFencedBesideAGoodOne) {
  a_->append(stream_, numbers(1, 4));
  const auto b = open();
  const Id victim = b->holder();
  const Completion taken = b->claim(group_, victim, 2);
  const Completion good = claim(2);
  EXPECT_EQ(a_->run(driver::TakeOver{victim, 1}).count, 1U);

  EXPECT_EQ(b->settle({settle_all(taken), settle_all(good)}), std::vector<u32>{0});
  EXPECT_EQ(b->settle({settle_all(good), settle_all(taken)}), (std::vector<u32>{0, 1}));
  const auto group = a_->stats("q").groups.at(0);
  EXPECT_EQ(group.retrying, 2U);
  EXPECT_EQ(group.depth, 2U);
}

TEST_P(StoreQueueContract, NackedMessageCountsAsDeliveredAndTellsWhy) {
  a_->append(stream_, numbers(1, 1));
  Completion got = claim();
  for (u32 delivery = 1; delivery <= 4; ++delivery) {
    EXPECT_EQ(got.claim->delivery, delivery);
    EXPECT_EQ(got.claim->reason, delivery > 1 ? "attempt " + std::to_string(delivery - 1) : "");
    a_->settle({settle_all(got, Verdict::nacked, "attempt " + std::to_string(delivery))});
    got = claim_again();
  }
  EXPECT_EQ(texts(got), numbers(1, 1));
}

TEST_P(StoreQueueContract, DelayedNackWaitsForTheClock) {
  a_->append(stream_, numbers(1, 2));
  const Completion got = claim(1);
  a_->settle({settle_all(got, Verdict::nacked, "later", Ms{2000})});

  const Completion fresh = claim(10, true);  // what waits for its time does not hold up the rest
  EXPECT_EQ(texts(fresh), numbers(2, 2));
  EXPECT_FALSE(fresh.retry_waiting);
  a_->settle({settle_all(fresh)});
  const Completion none = claim(10, true);
  EXPECT_FALSE(none.claim);
  ASSERT_TRUE(none.due_in);
  EXPECT_GT(*none.due_in, Ms{0});
  EXPECT_LE(*none.due_in, Ms{2000});
  place().advance(*none.due_in + Ms{5});
  const Completion due = claim_again();
  EXPECT_EQ(texts(due), numbers(1, 1));
  EXPECT_EQ(due.claim->delivery, 2U);
}

TEST_P(StoreQueueContract, WhatComesBackInPiecesGoesOutInOrder) {
  a_->append(stream_, numbers(1, 4));
  const Completion got = claim();
  const u32 last = 3;
  a_->settle({{group_, got.claim->id, bits({last}), {{last, Verdict::unseen, {}, ""}}}});
  place().advance(Ms{20});
  a_->settle({{group_, got.claim->id, bits({0, last}), {{0, Verdict::unseen, {}, ""}}}});
  place().advance(Ms{20});
  a_->settle(
      {{group_, got.claim->id, bits({0, 1, 2, last}), {{1, Verdict::unseen, {}, ""}, {2, Verdict::unseen, {}, ""}}}});
  std::vector<std::string> order;
  for (Completion again = claim(); again.claim; again = claim()) {
    const auto some = texts(again);
    order.insert(order.end(), some.begin(), some.end());
  }
  EXPECT_EQ(order, numbers(1, 4));
}

TEST_P(StoreQueueContract, UnseenMessageComesBackUncountedAtOnce) {
  a_->append(stream_, numbers(1, 1));
  a_->settle({settle_all(claim(), Verdict::unseen)});
  Completion got = claim();
  EXPECT_EQ(got.claim->delivery, 1U);
  a_->settle({settle_all(got, Verdict::nacked)});
  got = claim_again();
  EXPECT_EQ(got.claim->delivery, 2U);
  a_->settle({settle_all(got, Verdict::unseen)});
  got = claim_again();
  EXPECT_EQ(got.claim->delivery, 2U);
}

TEST_P(StoreQueueContract, PartOfAClaimCanGoBack) {
  a_->append(stream_, numbers(1, 5));
  const Completion got = claim();
  a_->settle({{group_, got.claim->id, bits({1, 3}), {{3, Verdict::nacked, {}, ""}}}});
  EXPECT_EQ(texts(claim_again()), numbers(4, 4));
  EXPECT_TRUE(a_->settle({settle_all(got)}).empty());
  const auto group = a_->stats("q").groups.at(0);
  EXPECT_EQ(group.claimed, 1U);
  EXPECT_EQ(group.depth, 1U);
}

TEST_P(StoreQueueContract, SettlesOfOneGroupDoNotTouchAnother) {
  const Id second = a_->group(queue_, "second");
  a_->append(stream_, numbers(1, 3));
  const Completion mine = claim();
  const Completion theirs = a_->claim(second, holder_);
  a_->settle({settle_all(mine, Verdict::nacked)});
  EXPECT_FALSE(a_->claim(second, holder_, 10, true).claim);
  EXPECT_TRUE(a_->settle({settle_all(theirs)}).empty());
  EXPECT_EQ(a_->drain(group_, holder_), numbers(1, 3));
}

TEST_P(StoreQueueContract, CountsWhatWasFilteredAndExpired) {
  a_->append(stream_, numbers(1, 5));
  const Completion got = claim();
  Settle settle = settle_all(got);
  settle.odd = {{0, Verdict::filtered, {}, ""}, {2, Verdict::expired, {}, ""}, {3, Verdict::expired, {}, ""}};
  a_->settle({settle});
  const auto stats = a_->stats("q");
  const std::map<std::string, u64> counters(stats.counters.begin(), stats.counters.end());
  EXPECT_EQ(counters.at("filtered"), 1U);
  EXPECT_EQ(counters.at("expired"), 2U);
  EXPECT_EQ(stats.groups.at(0).depth, 0U);
}

}  // namespace
}  // namespace vtx::test
