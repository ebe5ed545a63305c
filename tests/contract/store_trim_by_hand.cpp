/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: trimming by an operator's hand. It goes as far as told, whatever is retained, and else does what retention does.
#include "contract/history.hpp"

namespace vtx::test {
namespace {

using driver::Steer;

Steer trim_before(const std::string& from, const std::string& queue = "h") {
  Steer steer;
  steer.verb = driver::Verb::trim;
  steer.queue = queue;
  steer.from = from;
  return steer;
}

Steer trim_to(u64 keep, const std::string& queue = "h") {
  Steer steer = trim_before("oldest", queue);
  steer.keep = keep;
  return steer;
}

TEST_P(StoreContract, AnOperatorTrimsWhateverIsRetained) {
  for (const std::string retain : {"forever", "consumed", "1h", "100", "1KiB"}) {
    History h(open(), retain, "h" + retain);
    h.append(1, 12);
    EXPECT_EQ(h.a->tend(h.name), 0U) << retain;
    EXPECT_EQ(h.a->run(trim_before("seq:4", h.name)).count, 3U) << retain;
    EXPECT_EQ(h.a->read(h.stream), numbers(4, 12)) << retain;
    EXPECT_EQ(h.a->run(trim_before("seq:4", h.name)).count, 0U) << retain;
    EXPECT_EQ(h.a->run(trim_before("oldest", h.name)).count, 0U) << retain;
    EXPECT_EQ(h.a->run(trim_to(9, h.name)).count, 0U) << retain;
    EXPECT_EQ(h.a->run(trim_to(5, h.name)).count, 4U) << retain;
    EXPECT_EQ(h.trimmed(), 7U) << retain;
    EXPECT_EQ(h.a->tend(h.name), 0U) << retain;
    EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(8, 12)) << retain;
  }
}

TEST_P(StoreContract, TrimsAllAndNumbersOn) {
  History h(open(), "forever");
  h.append(1, 3);
  EXPECT_EQ(h.a->run(trim_before("seq:100")).count, 3U);
  h.append(4, 5);
  EXPECT_EQ(h.a->run(trim_to(0)).count, 2U);
  h.append(6, 7);
  EXPECT_EQ(h.a->run(trim_before("now")).count, 2U);
  EXPECT_EQ(h.trimmed(), 7U);
  EXPECT_EQ(h.a->stats("h").tail, 8U);
  EXPECT_EQ(open()->append(h.stream, {"8"}), 8U);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(8, 8));
}

TEST_P(StoreContract, TrimsOtherPrioritiesUpToTheTimeOfTheSequence) {
  History h(open(), "forever");
  const Id urgent = h.a->stream(h.queue, 5);
  h.append(1, 3);
  h.a->append(urgent, {"a", "b"});
  place().advance(Ms{1000});
  h.append(4, 6);
  h.a->append(urgent, {"c"});
  EXPECT_EQ(h.a->run(trim_before("seq:4")).count, 5U);
  EXPECT_EQ(h.a->read(urgent), (std::vector<std::string>{"c"}));
  EXPECT_EQ(h.a->read(h.stream), numbers(4, 6));
}

TEST_P(StoreContract, TrimsByTime) {
  History h(open(), "forever");
  h.append(1, 3);
  place().advance(Ms{1010});
  h.append(4, 5);
  EXPECT_EQ(h.a->run(trim_before("-1h")).count, 0U);
  EXPECT_EQ(h.a->run(trim_before("-1s")).count, 3U);
  EXPECT_EQ(h.a->read(h.stream), numbers(4, 5));
  EXPECT_EQ(h.a->run(trim_before("time:2001-01-01T00:00:00Z")).count, 0U);
  EXPECT_EQ(h.a->run(trim_before("time:2261-01-01T00:00:00Z")).count, 2U);
}

TEST_P(StoreContract, TrimmingByHandCountsWhatGroupsLoseAndSparesWhatIsInHands) {
  History h(open(), "consumed");
  h.append(1, 10);
  const Id fast = h.a->group(h.queue, "fast");
  EXPECT_EQ(h.a->drain(fast, h.holder), numbers(1, 10));
  const Completion in_hands = h.claim(2);
  h.a->settle({settle_all(h.claim(2), Verdict::nacked, "failed")});
  EXPECT_EQ(h.a->run(trim_before("seq:7")).count, 6U);
  EXPECT_EQ(h.trimmed(), 4U);  // 3 and 4, which waited, 5 and 6
  EXPECT_EQ(group_stats(*h.a, "h", "fast").trimmed, 0U);
  EXPECT_EQ(group_stats(*h.a, "h").claimed, 2U);
  EXPECT_EQ(group_stats(*h.a, "h").retrying, 0U);
  EXPECT_TRUE(h.a->settle({settle_all(in_hands)}).empty());
  EXPECT_EQ(h.trimmed(), 4U);
  EXPECT_EQ(counters_of(*h.a, "h")["trimmed"], 4U);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(7, 10));
  EXPECT_EQ(h.a->tend("h"), 4U);
}

TEST_P(StoreContract, TrimsByHandInBoundedSteps) {
  History h(open(), "forever");
  constexpr u64 kBatches = 4;
  for (u64 i = 0; i < kBatches; ++i) h.a->append(h.stream, std::vector<std::string>(driver::kMaxBatch, "12345"));
  u64 steps = 0;
  u64 removed = 0;
  for (Completion done; ++steps == 1 || done.more;) {
    done = h.a->run(trim_to(100));
    EXPECT_LE(done.count, 10'000U);
    removed += done.count;
  }
  EXPECT_GT(steps, 1U);
  EXPECT_EQ(removed, kBatches * driver::kMaxBatch - 100);
  EXPECT_EQ(h.trimmed(), removed);
  EXPECT_EQ(h.a->stats("h").messages, 100U);
}

TEST_P(StoreContract, TrimsEachMainStreamByHandByItself) {
  History h(open(), "forever");
  const Id urgent = h.a->stream(h.queue, 9);
  const Id up = h.a->run(driver::OpenStream{h.queue, "up", {}, 0}).id;
  h.append(1, 6);
  h.a->append(urgent, numbers(1, 3));
  h.a->append(up, numbers(1, 3));
  EXPECT_EQ(h.a->run(trim_to(2)).count, 5U);
  EXPECT_EQ(h.a->read(h.stream), numbers(5, 6));
  EXPECT_EQ(h.a->read(urgent), numbers(2, 3));
  EXPECT_EQ(h.a->read(up), numbers(1, 3));
}

TEST_P(StoreContract, BytesTrimmedByHandCountNoLonger) {
  History h(open(), "20B");
  h.a->append(h.stream, numbers(10, 19));
  EXPECT_EQ(h.a->tend("h"), 0U);
  EXPECT_EQ(h.a->run(trim_to(5)).count, 5U);
  EXPECT_EQ(h.a->stats("h").bytes, 10U);
  h.a->append(h.stream, numbers(20, 24));
  EXPECT_EQ(h.a->tend("h"), 0U);
  h.a->append(h.stream, numbers(25, 25));
  EXPECT_EQ(h.a->tend("h"), 1U);
  EXPECT_EQ(h.a->read(h.stream), numbers(16, 25));
}

TEST_P(StoreContract, RefusesToTrimWhatIsNotThereOrNotSaid) {
  History h(open());
  h.append(1, 4);
  EXPECT_EQ(h.a->ask(trim_before("seq:2", "none")).status.code(), Code::not_found);
  EXPECT_EQ(h.a->ask(trim_to(1, "none")).status.code(), Code::not_found);
  EXPECT_EQ(h.a->ask(trim_before("yesterday")).status.code(), Code::invalid);
  EXPECT_EQ(h.a->read(h.stream), numbers(1, 4));
}

}  // namespace
}  // namespace vtx::test
