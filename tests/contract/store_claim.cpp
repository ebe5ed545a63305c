/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: what a claim gets. Due retries before fresh messages, priorities from the top, ranges within limits,
// and a message that failed before only to empty hands.
#include <algorithm>
#include <array>
#include <random>
#include <span>

#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

TEST_P(StoreQueueContract, ClaimsNothingFromAnEmptyQueue) {
  const Completion got = claim();
  EXPECT_FALSE(got.claim);
  EXPECT_FALSE(got.more);
  EXPECT_FALSE(got.retry_waiting);
  EXPECT_FALSE(got.due_in);
  EXPECT_TRUE(got.messages.empty());
}

TEST_P(StoreQueueContract, ClaimDescribesItsRange) {
  a_->append(stream_, numbers(1, 5));
  const Completion got = claim(3);
  ASSERT_TRUE(got.claim);
  EXPECT_NE(got.claim->id, 0U);
  EXPECT_EQ(got.claim->group, group_);
  EXPECT_EQ(got.claim->stream, stream_);
  EXPECT_EQ(got.claim->first, 1U);
  EXPECT_EQ(got.claim->last, 3U);
  EXPECT_EQ(got.claim->delivery, 1U);
  EXPECT_TRUE(got.more);
  const Completion rest = claim(3);
  EXPECT_EQ(rest.claim->first, 4U);
  EXPECT_EQ(rest.claim->last, 5U);
  EXPECT_NE(rest.claim->id, got.claim->id);
  EXPECT_FALSE(rest.more);
}

TEST_P(StoreQueueContract, HoldersShareWithoutOverlapOrGap) {
  a_->append(stream_, numbers(1, 100));
  const auto b = open();
  const Id other = b->holder();
  const Id third = a_->holder();
  std::vector<std::string> all;
  for (u32 i = 0; all.size() < 100 && i < 100; ++i) {
    for (const Completion& got : {claim(1 + i % 7), b->claim(group_, other, 3), a_->claim(group_, third, 2)})
      std::ranges::copy(texts(got), std::back_inserter(all));
  }
  EXPECT_EQ(all, numbers(1, 100));
}

/// The engine finds a message by where its bytes lie.
void expect_one_buffer(const Completion& got) {
  const std::byte* at = got.buffer.bytes.get();
  const std::byte* const end = at + got.buffer.size;
  for (const driver::Message& message : got.messages) {
    EXPECT_LE(at, message.body.data());
    at = message.body.data();
    EXPECT_LE(at + message.body.size(), end);
    const auto properties = std::as_bytes(std::span(message.properties));
    if (properties.empty()) continue;
    EXPECT_GE(properties.data(), got.buffer.bytes.get());
    EXPECT_LE(properties.data() + properties.size(), end);
  }
}

TEST_P(StoreQueueContract, HandsMessagesOutWholeHoweverTheyCame) {
  std::minstd_rand random(5);
  const auto below = [&random](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  struct Sent {
    std::string body, properties;
    bool operator==(const Sent&) const = default;
  };
  constexpr std::array<std::size_t, 6> kSizes{0, 0, 1, 5, 200, 3000};
  std::vector<Sent> sent(400);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    // The first ones are empty and come one by one.
    sent[i].body = std::string(i < 5 ? 0 : kSizes.at(below(kSizes.size())), static_cast<char>('a' + i % 26));
    if (i >= 5 && below(3) == 0) sent[i].properties = "Number: " + std::to_string(i) + "\n";
  }
  for (std::size_t i = 0; i < sent.size();) {
    driver::Commit commit = a_->next_commit();
    driver::Append& append = commit.appends.emplace_back();
    append.stream = stream_;
    for (std::size_t left = i < 8 ? 1 : 1 + below(9); left > 0 && i < sent.size(); --left, ++i) {
      driver::Message& message = append.messages.emplace_back();
      message.body = std::as_bytes(std::span(sent[i].body));
      message.properties = sent[i].properties;
    }
    a_->run(std::move(commit));
  }
  const auto add = [](const Completion& got, std::vector<Sent>& to) {
    expect_one_buffer(got);
    const auto bodies = texts(got);
    for (std::size_t i = 0; i < bodies.size(); ++i) to.push_back({bodies[i], std::string(got.messages[i].properties)});
    return !bodies.empty();
  };
  std::vector<Sent> claimed, read;
  const auto limit = [&] { return driver::Limit{static_cast<u32>(1 + below(60)), 1 + below(9000)}; };
  while (add(a_->run(driver::ClaimNext{group_, holder_, claimed.empty() ? driver::Limit{7, 100} : limit()}), claimed)) {
  }
  EXPECT_EQ(claimed, sent);
  while (add(a_->run(driver::Read{stream_, 1 + read.size(), limit()}), read)) {
  }
  EXPECT_EQ(read, sent);
}

TEST_P(StoreQueueContract, LimitsAClaimByBytesButGivesOneMessageAtLeast) {
  a_->append(stream_, {std::string(100, 'a'), std::string(100, 'b'), std::string(100, 'c'), std::string(5000, 'd')});
  const auto take = [&](std::size_t bytes) {
    return a_->run(driver::ClaimNext{group_, holder_, {driver::kMaxBatch, bytes}, false}).messages.size();
  };
  EXPECT_EQ(take(250), 2U);
  EXPECT_EQ(take(1), 1U);
  EXPECT_EQ(take(4999), 1U);
  EXPECT_EQ(take(4999), 0U);
}

TEST_P(StoreQueueContract, DrainsPrioritiesStrictlyFromTheTop) {
  const Id urgent = a_->stream(queue_, 9);
  const Id middle = a_->stream(queue_, 5);
  a_->append(stream_, {"low 1", "low 2"});
  a_->append(middle, {"middle"});
  a_->append(urgent, {"urgent 1", "urgent 2"});
  EXPECT_EQ(texts(claim(1)), std::vector<std::string>{"urgent 1"});
  a_->append(urgent, {"urgent 3"});
  EXPECT_EQ(a_->drain(group_, holder_), (std::vector<std::string>{"urgent 2", "urgent 3", "middle", "low 1", "low 2"}));
}

TEST_P(StoreQueueContract, GroupsEachGetEveryMessage) {
  const Id second = a_->group(queue_, "second");
  a_->append(stream_, numbers(1, 10));
  EXPECT_EQ(texts(claim()), numbers(1, 10));
  EXPECT_EQ(a_->drain(second, holder_), numbers(1, 10));
  EXPECT_EQ(a_->drain(a_->group(queue_, "third"), holder_), numbers(1, 10));
}

TEST_P(StoreQueueContract, NewGroupBeginsAtTheOldestRetained) {
  a_->append(stream_, numbers(1, 10));
  const Completion got = claim(4);
  a_->settle({settle_all(got)});
  EXPECT_EQ(a_->tend("q"), 4U);
  EXPECT_EQ(a_->drain(a_->group(queue_, "late"), holder_), numbers(5, 10));
}

TEST_P(StoreQueueContract, LeasesAFailedMessageOnlyToEmptyHands) {
  a_->append(stream_, numbers(1, 5));
  const Completion got = claim(3);
  a_->settle({settle_all(got, Verdict::nacked)});

  const Completion refused = claim();
  EXPECT_FALSE(refused.claim);
  EXPECT_TRUE(refused.retry_waiting);
  EXPECT_TRUE(refused.messages.empty());

  for (u64 i = 1; i <= 3; ++i) {  // one at a time, before the fresh ones
    const Completion alone = claim_again();
    EXPECT_EQ(texts(alone), numbers(i, i));
    EXPECT_EQ(alone.claim->delivery, 2U);
    EXPECT_TRUE(alone.more);
    a_->settle({settle_all(alone)});
  }
  const Completion fresh = claim();
  EXPECT_EQ(texts(fresh), numbers(4, 5));
  EXPECT_EQ(fresh.claim->delivery, 1U);
}

TEST_P(StoreQueueContract, AFailedMessageGoesToOneHolderOnly) {
  a_->append(stream_, numbers(1, 1));
  a_->settle({settle_all(claim(), Verdict::nacked)});
  const auto b = open();
  EXPECT_EQ(texts(b->claim(group_, b->holder(), 10, true)), numbers(1, 1));
  const Completion none = claim(10, true);
  EXPECT_FALSE(none.claim);
  EXPECT_FALSE(none.retry_waiting);
}

TEST_P(StoreQueueContract, LeasesWhatWasNeverSeenAsARange) {
  a_->append(stream_, numbers(1, 6));
  const Completion got = claim(4);
  Settle back = settle_all(got, Verdict::unseen);
  a_->settle({back});
  std::vector<std::string> again;
  while (again.size() < 6) {  // one range or several, but to busy hands, and uncounted
    const Completion next = claim();
    ASSERT_TRUE(next.claim);
    EXPECT_EQ(next.claim->delivery, 1U);
    std::ranges::copy(texts(next), std::back_inserter(again));
  }
  EXPECT_EQ(again, numbers(1, 6));
}

TEST_P(StoreQueueContract, RefusesToLeaseForNobody) {
  a_->append(stream_, numbers(1, 1));
  EXPECT_FALSE(a_->ask(driver::ClaimNext{group_, 987654, {}, false}).status.ok());
  EXPECT_FALSE(a_->ask(driver::ClaimNext{987654, holder_, {}, false}).status.ok());
  EXPECT_EQ(texts(claim()), numbers(1, 1));
}

TEST_P(StoreQueueContract, ServesManyStreamsAndGroups) {
  constexpr u64 kQueues = 40;
  std::vector<std::pair<Id, Id>> groups;
  for (u64 i = 0; i < kQueues; ++i) {
    const Id queue = a_->queue("many-" + std::to_string(i));
    const Id stream = a_->stream(queue, static_cast<int>(i % 10));
    groups.emplace_back(a_->group(queue, "one"), a_->group(queue, "two"));
    a_->append(stream, numbers(i, i + 5));
  }
  for (u64 i = 0; i < kQueues; ++i) {
    EXPECT_EQ(a_->drain(groups[i].second, holder_), numbers(i, i + 5));
    EXPECT_EQ(a_->drain(groups[i].first, holder_), numbers(i, i + 5));
  }
}

}  // namespace
}  // namespace vtx::test
