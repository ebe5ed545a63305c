/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: holders. Beats that others can watch, taking over the claims of one who stopped, ended sessions, and
// names that one holder may have.
#include <algorithm>

#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

using driver::Beat;
using driver::Hold;
using driver::HolderBeat;
using driver::TakeOver;

std::optional<HolderBeat> find(const Completion& beat, Id holder) {
  const auto found = std::ranges::find(beat.holders, holder, &HolderBeat::holder);
  return found == beat.holders.end() ? std::nullopt : std::optional(*found);
}

TEST_P(StoreQueueContract, HoldersAreNeverTheSame) {
  const auto b = open();
  std::set<Id> ids{holder_};
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(ids.insert(a_->holder()).second);
    EXPECT_TRUE(ids.insert(b->holder()).second);
  }
  EXPECT_FALSE(ids.contains(0));
}

TEST_P(StoreQueueContract, BeatShowsTheOthersThatHaveOpenClaims) {
  a_->append(stream_, numbers(1, 4));
  const auto b = open();
  const Id idle = b->holder();
  const Id busy = b->holder(Ms{1234});
  const Completion got = b->claim(group_, busy, 2);
  const Completion mine = claim(1);

  const Completion beat = a_->run(Beat{holder_, Ms{5000}});
  EXPECT_EQ(beat.id, holder_);
  EXPECT_FALSE(find(beat, holder_));
  EXPECT_FALSE(find(beat, idle));
  ASSERT_TRUE(find(beat, busy));
  EXPECT_EQ(find(beat, busy)->lease, Ms{1234});
  EXPECT_FALSE(find(beat, busy)->dead);

  b->run(Beat{busy, Ms{1234}});
  EXPECT_GT(find(a_->run(Beat{holder_, Ms{5000}}), busy)->count, find(beat, busy)->count);

  b->settle({settle_all(got)});
  EXPECT_FALSE(find(a_->run(Beat{holder_, Ms{5000}}), busy));
}

TEST_P(StoreQueueContract, TakesNothingFromAHolderWhoseBeatMoved) {
  a_->append(stream_, numbers(1, 3));
  const auto b = open();
  const Id other = b->holder();
  const Completion got = b->claim(group_, other);
  const u64 seen = find(a_->run(Beat{holder_, Ms{5000}}), other)->count;
  b->run(Beat{other, Ms{5000}});
  EXPECT_EQ(a_->run(TakeOver{other, seen}).count, 0U);
  EXPECT_TRUE(b->settle({settle_all(got)}).empty());
}

TEST_P(StoreQueueContract, TakenMessagesCountAsDelivered) {
  a_->append(stream_, numbers(1, 6));
  const auto b = open();
  const Id other = b->holder();
  const Completion got = b->claim(group_, other, 4);
  b->claim(group_, other, 1);
  b->settle({{group_, got.claim->id, bits({1}), {}}});
  const u64 seen = find(a_->run(Beat{holder_, Ms{5000}}), other)->count;
  EXPECT_EQ(a_->run(TakeOver{other, seen}).count, 2U);
  EXPECT_EQ(a_->run(TakeOver{other, seen}).count, 0U);

  std::vector<std::string> again;
  for (int i = 0; i < 4; ++i) {
    const Completion one = claim_again();
    EXPECT_EQ(one.claim->delivery, 2U);
    EXPECT_FALSE(one.claim->reason.empty());
    EXPECT_EQ(one.messages.size(), 1U);
    std::ranges::copy(texts(one), std::back_inserter(again));
    a_->settle({settle_all(one)});
  }
  EXPECT_EQ(again, (std::vector<std::string>{"1", "3", "4", "5"}));
  EXPECT_EQ(texts(claim()), numbers(6, 6));
}

TEST_P(StoreQueueContract, DeathWithAnUncountedClaimIsNotHeldAgainstIt) {
  a_->append(stream_, numbers(1, 1));
  const auto b = open();
  driver::ClaimNext wish{group_, b->holder(), {}, true};
  wish.uncounted = true;
  for (const u32 delivery : {1U, 2U}) {
    const Completion got = b->run(wish);
    ASSERT_TRUE(got.claim);
    EXPECT_EQ(got.claim->delivery, delivery);
    const u64 seen = find(a_->run(Beat{holder_, Ms{5000}}), wish.holder)->count;
    EXPECT_EQ(a_->run(TakeOver{wish.holder, seen}).count, 1U);
    // As if it had not been delivered. A nack counts.
    const Completion again = claim(1, true);
    EXPECT_EQ(again.claim->delivery, delivery);
    a_->settle({settle_all(again, Verdict::nacked)});
  }
}

TEST_P(StoreQueueContract, UncountedClaimGivenBackIsAsBefore) {
  a_->append(stream_, numbers(1, 2));
  driver::ClaimNext wish{group_, holder_, {1, driver::kMaxBatchBytes}, true};
  wish.uncounted = true;
  a_->settle({settle_all(a_->run(wish), Verdict::unseen)});
  const Completion got = claim(1);
  ASSERT_TRUE(got.claim);
  EXPECT_EQ(got.claim->delivery, 1U);
  a_->settle({settle_all(got)});
  a_->settle({settle_all(a_->run(wish), Verdict::nacked)});
  EXPECT_EQ(claim_again().claim->delivery, 2U);
}

TEST_P(StoreQueueContract, AHolderThatWasTakenOverGoesOn) {
  a_->append(stream_, numbers(1, 2));
  const auto b = open();
  const Id paused = b->holder();
  const Completion late = b->claim(group_, paused, 1);
  const u64 seen = find(a_->run(Beat{holder_, Ms{5000}}), paused)->count;
  EXPECT_EQ(a_->run(TakeOver{paused, seen}).count, 1U);
  EXPECT_TRUE(b->ask(Beat{paused, Ms{5000}}).status.ok());
  EXPECT_EQ(b->settle({settle_all(late)}), std::vector<u32>{0});
  EXPECT_EQ(b->drain(group_, paused), numbers(1, 2));
}

TEST_P(StoreQueueContract, ClaimsOfAStoppedStoreCanBeTakenAtOnce) {
  a_->append(stream_, numbers(1, 2));
  const auto b = open();
  const Id other = b->holder(Ms{3'600'000});
  const Completion got = b->claim(group_, other);
  b->stop();
  const auto ended = find(a_->run(Beat{holder_, Ms{5000}}), other);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->dead, GetParam().sees_endings);
  EXPECT_EQ(a_->run(TakeOver{other, ended->count}).count, 1U);
  EXPECT_EQ(a_->drain(group_, holder_), numbers(1, 2));
  b->start();
  EXPECT_EQ(b->settle({settle_all(got)}), std::vector<u32>{0});
}

TEST_P(StoreQueueContract, AStoppedStoreBeginsWithNewHolders) {
  const Id before = holder_;
  a_->append(stream_, numbers(1, 2));
  const Completion got = claim(1);
  a_->stop();
  a_->start();
  holder_ = a_->holder();
  EXPECT_NE(holder_, before);
  const auto ended = find(a_->run(Beat{holder_, Ms{5000}}), before);
  ASSERT_TRUE(ended);  // also by the very store that was stopped
  EXPECT_EQ(a_->run(TakeOver{before, ended->count}).count, 1U);
  EXPECT_EQ(a_->drain(group_, holder_), numbers(1, 2));
}

TEST_P(StoreQueueContract, OneHolderHasAName) {
  const auto b = open();
  const Id other = b->holder();
  const std::string what = "peer:\xc3\xa4 ' % \" \\ ;--";
  EXPECT_TRUE(a_->ask(Hold{queue_, what, holder_, false}).status.ok());
  EXPECT_TRUE(a_->ask(Hold{queue_, what, holder_, false}).status.ok());
  EXPECT_EQ(b->ask(Hold{queue_, what, other, false}).status.code(), Code::busy);
  EXPECT_TRUE(b->ask(Hold{queue_, "pair:up", other, false}).status.ok());
  EXPECT_TRUE(b->ask(Hold{queue_, what, other, true}).status.ok());  // not its to release: no effect
  EXPECT_EQ(b->ask(Hold{queue_, what, other, false}).status.code(), Code::busy);
  EXPECT_TRUE(a_->ask(Hold{queue_, what, holder_, true}).status.ok());
  EXPECT_TRUE(b->ask(Hold{queue_, what, other, false}).status.ok());
}

}  // namespace
}  // namespace vtx::test
