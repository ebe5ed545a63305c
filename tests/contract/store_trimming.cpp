/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: retention by count, size and age, which goes before groups that are slow; what they lose by it is counted.
#include "contract/history.hpp"

namespace vtx::test {
namespace {

using driver::OpenQueue;
using driver::Read;

void redeclare(StoreSession& session, const std::string& queue, const std::string& retain) {
  OpenQueue open;
  open.queue = queue;
  open.retain = retain;
  open.change = true;
  EXPECT_EQ(session.run(open).declared.retain, retain);
}

std::vector<std::string> bodies_of(std::initializer_list<std::size_t> sizes) {
  std::vector<std::string> bodies;
  for (const std::size_t size : sizes) bodies.emplace_back(size, 'x');
  return bodies;
}

TEST_P(StoreContract, KeepsTheNewestMessagesByCount) {
  History h(open());
  h.append(1, 3);
  EXPECT_EQ(h.a->tend("h"), 0U);
  h.append(4, 4);
  EXPECT_EQ(h.a->tend("h"), 0U);
  h.append(5, 12);
  EXPECT_EQ(h.a->tend("h"), 8U);
  EXPECT_EQ(h.a->read(h.stream), numbers(9, 12));
  EXPECT_EQ(h.a->tend("h"), 0U);
  h.append(13, 13);
  EXPECT_EQ(h.a->tend("h"), 1U);
  const auto stats = h.a->stats("h");
  EXPECT_EQ(stats.messages, 4U);
  EXPECT_EQ(stats.tail, 10U);
  EXPECT_EQ(stats.head, 13U);
}

TEST_P(StoreContract, KeepsTheNewestMessagesBySize) {
  const auto a = open();
  const Id stream = a->stream(a->queue("h", "10B"));
  a->append(stream, bodies_of({3, 3, 4, 3}));
  EXPECT_EQ(a->tend("h"), 1U);
  a->append(stream, bodies_of({3}));
  EXPECT_EQ(a->tend("h"), 1U);
  EXPECT_EQ(a->read(stream), bodies_of({4, 3, 3}));
  EXPECT_EQ(a->stats("h").bytes, 10U);
  EXPECT_EQ(a->tend("h"), 0U);
  a->append(stream, bodies_of({0, 0}));
  EXPECT_EQ(a->tend("h"), 0U);
  a->append(stream, bodies_of({8}));
  EXPECT_EQ(a->tend("h"), 3U);  // the empty ones still fit
  EXPECT_EQ(a->read(stream), bodies_of({0, 0, 8}));
  a->append(stream, bodies_of({11}));  // fits by no means
  EXPECT_EQ(a->tend("h"), 4U);
  EXPECT_TRUE(a->read(stream).empty());
  EXPECT_EQ(a->append(stream, bodies_of({10})), 10U);
  EXPECT_EQ(a->tend("h"), 0U);
}

TEST_P(StoreContract, RemovesWhatIsTooOldAndNothingElse) {
  History old(open(), "1s");
  old.append(1, 5);
  const Id young = old.a->stream(old.a->queue("young", "1h"));
  old.a->append(young, numbers(1, 5));
  place().advance(Ms{1010});
  EXPECT_EQ(old.a->tend("h"), 5U);
  EXPECT_EQ(old.a->tend("young"), 0U);
  EXPECT_EQ(old.trimmed(), 5U);
  EXPECT_EQ(old.a->read(young), numbers(1, 5));
  old.append(6, 8);
  EXPECT_EQ(old.a->stats("h").tail, 6U);
  redeclare(*old.a, "h", "1h");
  EXPECT_EQ(old.a->tend("h"), 0U);
  EXPECT_EQ(old.a->drain(old.group, old.holder), numbers(6, 8));
}

TEST_P(StoreContract, TrimsEachStreamByItself) {
  History h(open());
  const Id urgent = h.a->stream(h.queue, 9);
  h.append(1, 6);
  h.a->append(urgent, numbers(1, 5));
  EXPECT_EQ(h.a->tend("h"), 3U);
  EXPECT_EQ(h.a->read(h.stream), numbers(3, 6));
  EXPECT_EQ(h.a->read(urgent), numbers(2, 5));
  EXPECT_EQ(h.trimmed(), 3U);
}

TEST_P(StoreContract, TrimsInBoundedSteps) {
  for (const std::string retain : {"100", "500B", "1s"}) {
    const auto a = open();
    const std::string name = "h" + retain;
    const Id stream = a->stream(a->queue(name, retain));
    constexpr u64 kBatches = 4;
    for (u64 i = 0; i < kBatches; ++i) a->append(stream, std::vector<std::string>(driver::kMaxBatch, "12345"));
    if (retain == "1s") place().advance(Ms{1010});
    const u64 left = retain == "1s" ? 0 : 100;
    u64 steps = 0;
    u64 removed = 0;
    for (Completion done; ++steps == 1 || done.more;) {
      done = a->run(driver::Tend{name});
      EXPECT_LE(done.count, 10'000U);
      removed += done.count;
    }
    EXPECT_GT(steps, 1U) << retain;
    EXPECT_EQ(removed, kBatches * driver::kMaxBatch - left) << retain;
    EXPECT_EQ(a->stats(name).messages, left) << retain;
  }
}

TEST_P(StoreContract, AnEmptiedHistoryGoesOn) {
  for (const std::string retain : {"1B", "1s"}) {
    const auto a = open();
    const Id stream = a->stream(a->queue(retain, retain));
    a->append(stream, {"first", "second"});
    if (retain == "1s") place().advance(Ms{1010});
    EXPECT_EQ(a->tend(retain), 2U);
    EXPECT_EQ(a->run(driver::Locate{stream, "oldest"}).first, 3U);
    EXPECT_EQ(open()->append(stream, {"x"}), 3U);
  }
}

TEST_P(StoreContract, MovesASlowGroupOnAndCountsWhatItLost) {
  History h(open());
  h.append(1, 10);
  const Id fast = h.a->group(h.queue, "fast");
  EXPECT_EQ(h.a->drain(fast, h.holder), numbers(1, 10));
  h.a->settle({settle_all(h.claim(2))});
  EXPECT_EQ(h.a->tend("h"), 6U);
  EXPECT_EQ(h.trimmed(), 4U);  // 3 to 6
  EXPECT_EQ(group_stats(*h.a, "h").depth, 4U);
  EXPECT_EQ(group_stats(*h.a, "h", "fast").trimmed, 0U);
  EXPECT_EQ(counters_of(*h.a, "h")["trimmed"], 4U);
  EXPECT_EQ(h.a->tend("h"), 0U);
  EXPECT_EQ(h.trimmed(), 4U);
  EXPECT_EQ(texts(h.claim(1)), numbers(7, 7));
  h.append(11, 20);
  EXPECT_EQ(h.a->tend("h"), 10U);
  EXPECT_EQ(h.trimmed(), 4U + 9U);  // 8 to 16; 7 is in hands
  EXPECT_EQ(group_stats(*h.a, "h", "fast").trimmed, 6U);
  EXPECT_EQ(counters_of(*h.a, "h")["trimmed"], 19U);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(17, 20));
  EXPECT_EQ(h.a->drain(fast, h.holder), numbers(17, 20));
}

TEST_P(StoreContract, ANewGroupHasLostNothing) {
  History h(open());
  h.append(1, 10);
  h.a->tend("h");
  const Id late = h.a->group(h.queue, "late");
  h.append(11, 11);
  h.a->tend("h");
  EXPECT_EQ(group_stats(*h.a, "h", "late").trimmed, 1U);
  EXPECT_EQ(h.a->drain(late, h.holder), numbers(8, 11));
}

TEST_P(StoreContract, LeavesToAConsumerWhatItHasInHands) {
  History h(open());
  h.append(1, 3);
  const Completion got = h.claim(3);
  h.append(4, 10);
  EXPECT_EQ(h.a->tend("h"), 6U);
  EXPECT_EQ(h.trimmed(), 3U);  // 4 to 6
  EXPECT_EQ(group_stats(*h.a, "h").claimed, 3U);
  EXPECT_TRUE(h.a->settle({settle_all(got)}).empty());
  EXPECT_EQ(h.a->tend("h"), 0U);
  EXPECT_EQ(h.trimmed(), 3U);
  EXPECT_EQ(group_stats(*h.a, "h").claimed, 0U);
}

TEST_P(StoreContract, WhatComesBackAfterItsMessageWentIsCounted) {
  History h(open());
  h.append(1, 4);
  const Completion nacked = h.claim(1);
  const Completion given_back = h.claim(1);
  const Completion delayed = h.claim(1);
  const Completion taken = h.claim(1);
  h.append(5, 8);
  EXPECT_EQ(h.a->tend("h"), 4U);
  EXPECT_EQ(h.trimmed(), 0U);
  h.a->settle({settle_all(nacked, Verdict::nacked), settle_all(given_back, Verdict::unseen),
               settle_all(delayed, Verdict::nacked, "later", Ms{3'600'000})});
  EXPECT_EQ(h.a->tend("h"), 0U);
  EXPECT_EQ(h.trimmed(), 3U);
  const auto other = open();
  other->run(driver::TakeOver{h.holder, 1});
  EXPECT_EQ(group_stats(*h.a, "h").retrying, 1U);
  EXPECT_EQ(texts(other->claim(h.group, other->holder(), 10, true)), numbers(5, 8));  // found before Tend came
  EXPECT_EQ(h.trimmed(), 4U);
  EXPECT_EQ(counters_of(*h.a, "h")["trimmed"], 4U);
  EXPECT_EQ(group_stats(*h.a, "h").retrying, 0U);
}

TEST_P(StoreContract, CutsWhatWaitsForRedelivery) {
  History h(open());
  h.append(1, 8);
  const Completion range = h.claim(6);
  h.a->settle({settle_all(range, Verdict::unseen)});
  const Completion single = h.claim(1);  // 1 of the range, which now begins at 2
  h.a->settle({settle_all(single, Verdict::nacked, "failed")});
  EXPECT_EQ(h.a->tend("h"), 4U);
  EXPECT_EQ(h.trimmed(), 4U);
  EXPECT_EQ(group_stats(*h.a, "h").retrying, 2U);
  EXPECT_EQ(group_stats(*h.a, "h").depth, 4U);
  const Completion rest = h.claim(10, true);
  EXPECT_EQ(texts(rest), numbers(5, 6));
  EXPECT_EQ(rest.claim->delivery, 1U);
  h.a->settle({settle_all(rest)});
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(7, 8));
  EXPECT_EQ(h.trimmed(), 4U);
}

TEST_P(StoreContract, CutsARangeThatIsClaimedBeforeItIsTended) {
  History h(open(), "forever");
  h.append(1, 8);
  h.a->settle({settle_all(h.claim(3), Verdict::unseen)});
  const Completion first = h.claim(2);
  redeclare(*h.a, "h", "4");
  EXPECT_EQ(h.a->tend("h"), 4U);
  EXPECT_EQ(h.trimmed(), 2U);  // 3, which waited, and 4
  h.a->settle({settle_all(first, Verdict::unseen)});
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(5, 8));
  EXPECT_EQ(h.trimmed(), 4U);
}

TEST_P(StoreContract, ADeathAfterTheMessageWentIsALossAndNoDeadLetter) {
  History h(open());
  h.append(1, 1);
  const Completion got = h.claim(1);
  h.append(2, 5);
  EXPECT_EQ(h.a->tend("h"), 1U);
  h.a->settle({settle_all(got, Verdict::dead, "poison")});
  auto counters = counters_of(*h.a, "h");
  EXPECT_EQ(counters["dead_lettered"], 0U);
  EXPECT_EQ(counters["trimmed"], 1U);
  EXPECT_EQ(h.trimmed(), 1U);
  EXPECT_EQ(h.a->stats("h").dead, 0U);
}

TEST_P(StoreContract, DeadLettersStayWhateverIsDeclared) {
  History h(open(), "2");
  h.append(1, 2);
  h.a->settle({settle_all(h.claim(2), Verdict::dead, "poison")});
  h.append(3, 6);
  EXPECT_EQ(h.a->tend("h"), 4U);
  OpenQueue open;
  open.queue = "h.dead";
  open.retain = "1";
  open.change = true;
  EXPECT_EQ(h.a->run(open).declared.retain, "forever");
  EXPECT_EQ(h.a->tend("h.dead"), 0U);
  EXPECT_EQ(h.a->stats("h").dead, 2U);
}

TEST_P(StoreContract, ANewDeclarationHoldsForWhatIsThereAlready) {
  History h(open(), "forever");
  h.append(1, 30);
  EXPECT_EQ(h.a->tend("h"), 0U);
  redeclare(*h.a, "h", "20");
  EXPECT_EQ(h.a->tend("h"), 10U);
  redeclare(*h.a, "h", "30B");  // two digits each
  h.append(31, 32);
  EXPECT_EQ(h.a->tend("h"), 7U);
  EXPECT_EQ(h.a->read(h.stream), numbers(18, 32));
  h.append(33, 33);
  EXPECT_EQ(h.a->tend("h"), 1U);
  redeclare(*h.a, "h", "forever");
  h.append(34, 40);
  EXPECT_EQ(h.a->tend("h"), 0U);
  redeclare(*h.a, "h", "10B");
  EXPECT_EQ(h.a->tend("h"), 22U - 5U);
  EXPECT_EQ(h.a->read(h.stream), numbers(36, 40));
  redeclare(*h.a, "h", "consumed");
  EXPECT_EQ(h.a->tend("h"), 0U);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(36, 40));
  EXPECT_EQ(h.a->tend("h"), 5U);
}

TEST_P(StoreContract, AReaderIsToldByItsNextReadWhatWasTrimmed) {
  History h(open());
  h.append(1, 10);
  h.a->tend("h");
  const Completion got = h.a->run(Read{h.stream, 3, {2, driver::kMaxBatchBytes}});
  EXPECT_EQ(seqs(got), (std::vector<Seq>{7, 8}));
  EXPECT_EQ(got.tail, 7U);
  EXPECT_EQ(got.head, 10U);
}

}  // namespace
}  // namespace vtx::test
