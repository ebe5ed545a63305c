/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: priorities. Each is a stream of its own beside that of priority 0, drained strictly from the top; all that holds for one
// stream of a queue holds for several.
#include <algorithm>

#include "contract/store_contract.hpp"
#include "vtx/driver/names.hpp"

namespace vtx::test {
namespace {

using driver::Steer;
using driver::Verb;

TEST_P(StoreQueueContract, ClaimsTheHighestPriorityFirstAndEachInItsOrder) {
  send({"0a", "0b"}, 0);
  send({"5a", "5b"}, 5);
  send({"9a"}, 9);
  send({"5c"}, 5);
  const Completion first = claim();
  EXPECT_EQ(texts(first), std::vector<std::string>{"9a"});
  EXPECT_EQ(first.claim->priority, 9);
  EXPECT_TRUE(first.more);
  const Completion second = claim(2);
  EXPECT_EQ(texts(second), (std::vector<std::string>{"5a", "5b"}));
  EXPECT_EQ(seqs(second), (std::vector<Seq>{1, 2})) << "each priority has its own numbers";
  send({"9b"}, 9);
  EXPECT_EQ(texts(claim()), std::vector<std::string>{"9b"}) << "what came later goes before what waited below it";
  EXPECT_EQ(texts(claim()), std::vector<std::string>{"5c"});
  const Completion last = claim();
  EXPECT_EQ(texts(last), (std::vector<std::string>{"0a", "0b"}));
  EXPECT_EQ(last.claim->priority, 0);
  EXPECT_FALSE(last.more);
}

TEST_P(StoreQueueContract, OneCommitMayWriteSeveralPriorities) {
  const std::string low = "low", high = "high";
  driver::Commit commit = a_->next_commit();
  for (const int priority : {0, 9, 4}) {
    driver::Append append;
    append.stream = stream_;
    append.priority = priority;
    append.messages.emplace_back().body = bytes_of(priority == 0 ? low : high);
    commit.appends.push_back(append);
  }
  const Completion once = a_->run(commit);
  const Completion again = a_->run(commit);
  EXPECT_EQ(again.head, once.head);
  EXPECT_EQ(a_->drain(group_, holder_), (std::vector{high, high, low}));
  EXPECT_EQ(a_->read(a_->stream(queue_, 4)), std::vector{high});
}

TEST_P(StoreQueueContract, RefusesAPriorityThatThereIsNot) {
  for (const int priority : {-1, driver::kHighestPriority + 1}) {
    driver::Commit commit = a_->next_commit();
    driver::Append append;
    append.stream = stream_;
    append.priority = priority;
    append.messages.emplace_back();
    commit.appends.push_back(append);
    EXPECT_EQ(a_->ask(commit).status.code(), Code::invalid);
  }
  EXPECT_EQ(a_->stats("q").messages, 0U);
}

TEST_P(StoreQueueContract, WhatComesAgainKeepsItsPriority) {
  send({"low"}, 0);
  send({"high"}, 7);
  const Completion high = claim();
  const Completion low = claim();
  a_->settle({settle_all(low, Verdict::unseen)});
  EXPECT_EQ(a_->settle({settle_all(high, Verdict::nacked)}), std::vector<u32>{});
  send({"middle"}, 3);
  const Completion again = claim_again();
  EXPECT_EQ(texts(again), std::vector<std::string>{"high"});
  EXPECT_EQ(again.claim->priority, 7);
  EXPECT_EQ(again.claim->delivery, 2U);
  a_->settle({settle_all(again)});
  EXPECT_EQ(texts(claim()), std::vector<std::string>{"middle"}) << "before what was given back below it";
  EXPECT_EQ(texts(claim()), std::vector<std::string>{"low"});
}

TEST_P(StoreQueueContract, ADelayedRetryOfAnyPriorityTellsItsTime) {
  send({"low"}, 0);
  send({"high"}, 9);
  a_->settle({settle_all(claim(), Verdict::nacked, "", Ms{60'000})});
  a_->settle({settle_all(claim(), Verdict::nacked, "", Ms{90'000})});
  const Completion none = claim(driver::kMaxBatch, true);
  EXPECT_FALSE(none.claim);
  ASSERT_TRUE(none.due_in);
  EXPECT_GT(*none.due_in, Ms{30'000});
  EXPECT_LE(*none.due_in, Ms{60'000});
}

TEST_P(StoreQueueContract, WhatADeadHolderHadOfSeveralPrioritiesComesAgain) {
  send({"low"}, 0);
  send({"high"}, 9);
  const auto other = open();
  const Id dead = other->holder();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(other->run(driver::ClaimNext{group_, dead, {}, false}).claim);
  other->stop();
  a_->run(driver::TakeOver{dead, a_->run(driver::Beat{holder_, Ms{5000}}).holders.at(0).count});
  for (const char* text : {"high", "low"}) {
    const Completion got = claim_again();
    EXPECT_EQ(texts(got), std::vector<std::string>{text});
    a_->settle({settle_all(got)});
  }
}

TEST_P(StoreQueueContract, RetiresEveryPriorityByWhatItsGroupsNeed) {
  send(numbers(1, 3), 0);
  send(numbers(4, 6), 9);
  const Completion high = claim();
  a_->settle({settle_all(high)});
  EXPECT_EQ(a_->tend("q"), 3U);
  EXPECT_EQ(a_->stats("q").messages, 3U);
  EXPECT_EQ(a_->stats("q").groups.at(0).depth, 3U);
  EXPECT_EQ(a_->drain(group_, holder_), numbers(1, 3));
  EXPECT_EQ(a_->tend("q"), 3U);
  send({"on"}, 9);
  EXPECT_EQ(seqs(claim()), std::vector<Seq>{4}) << "an emptied stream goes on";
}

TEST_P(StoreQueueContract, CountsAndTrimsEachPriorityByItself) {
  send(numbers(1, 4), 0);
  send(numbers(5, 7), 2);
  driver::QueueStats stats = a_->stats("q");
  EXPECT_EQ(stats.messages, 7U);
  EXPECT_EQ(stats.bytes, 7U);
  EXPECT_EQ(stats.groups.at(0).depth, 7U);
  Steer trim{Verb::trim, "q", "", 0};
  trim.keep = 2;
  EXPECT_EQ(a_->run(trim).count, 3U);
  stats = a_->stats("q");
  EXPECT_EQ(stats.messages, 4U);
  EXPECT_EQ(stats.groups.at(0).trimmed, 3U);
  EXPECT_EQ(a_->drain(group_, holder_), (std::vector<std::string>{"6", "7", "3", "4"}));
}

TEST_P(StoreQueueContract, ANewGroupBeginsInEveryPriority) {
  send({"0"}, 0);
  send({"9"}, 9);
  driver::OpenGroup late;
  late.queue = queue_;
  late.kind = "main";
  late.name = "late";
  late.from = "now";
  const Id group = a_->run(late).id;
  EXPECT_FALSE(a_->claim(group, holder_).claim);
  send({"5"}, 5);  // a stream that was not there when it began
  send({"9 again"}, 9);
  EXPECT_EQ(a_->drain(group, holder_), (std::vector<std::string>{"9 again", "5"}));
}

TEST_P(StoreQueueContract, ARequeuedDeadLetterHasThePriorityThatItHad) {
  send({"poison"}, 6);
  a_->settle({settle_all(claim(), Verdict::dead, "no good")});
  send({"above"}, 7);
  send({"below"}, 5);
  EXPECT_EQ(a_->run(Steer{Verb::dead_requeue, "q", "", 0}).count, 1U);
  EXPECT_EQ(texts(claim()), std::vector<std::string>{"above"});
  const Completion again = claim();
  EXPECT_EQ(texts(again), std::vector<std::string>{"poison"});
  EXPECT_EQ(again.claim->priority, 6);
  a_->settle({settle_all(again, Verdict::nacked)});
  EXPECT_EQ(claim_again().claim->priority, 6);
}

TEST_P(StoreQueueContract, AWaitingConsumerHearsOfAnyPriority) {
  const auto other = open();
  const Id holder = other->holder();
  EXPECT_FALSE(other->claim(group_, holder).claim);
  send({"high"}, 9);
  EXPECT_TRUE(other->wait_changed("q"));
  EXPECT_EQ(texts(other->claim(group_, holder)), std::vector<std::string>{"high"});
}

TEST_P(StoreMailboxContract, LettersHavePriorities) {
  mailbox("anna");
  const Id anna = readers("anna");
  std::vector<driver::Append> letters;
  const std::vector<std::string> bodies{"low", "high"};
  for (int i = 0; i < 2; ++i) {
    letters.push_back(letter("anna", bodies[static_cast<std::size_t>(i)]));
    letters.back().priority = i * 9;
  }
  letters.push_back(letter("nobody", bodies[0]));
  letters.back().priority = 9;
  EXPECT_EQ(StoreMailboxContract::send(letters).count, 1U);
  EXPECT_EQ(a_->drain(anna, holder_), (std::vector<std::string>{"high", "low"}));
}

TEST_P(StoreMailboxContract, AMailboxGoesWithAllItsPriorities) {
  mailbox("~1");
  readers("~1");
  a_->run(driver::Hold{queue_, driver::hold_of_peer("~1"), holder_, false});
  for (const int priority : {0, 3}) {
    auto one = letter("~1", body_);
    one.priority = priority;
    StoreMailboxContract::send({one});
  }
  a_->run(driver::Hold{queue_, driver::hold_of_peer("~1"), holder_, true});
  EXPECT_EQ(counter("undeliverable"), 2U);
  EXPECT_EQ(a_->stats("q").messages, 0U);
}

}  // namespace
}  // namespace vtx::test
