/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: an operator's hand on groups. One that is moved goes on at the new place and nowhere else; one that is dropped holds nothing back.
#include "contract/history.hpp"
#include "vtx/driver/names.hpp"

namespace vtx::test {
namespace {

using driver::Hold;
using driver::Steer;
using driver::Verb;

Steer seek_to(const std::string& from, const std::string& group = "g", const std::string& queue = "h") {
  Steer steer{Verb::seek, queue, group, 0};
  steer.from = from;
  return steer;
}

Steer drop_of(const std::string& group, const std::string& queue = "h", bool force = false) {
  Steer steer{Verb::drop_group, queue, group, 0};
  steer.force = force;
  return steer;
}

TEST_P(StoreContract, AGroupGoesOnWhereItIsMovedTo) {
  History h(open(), "forever");
  h.append(1, 10);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(1, 10));
  const Completion back = h.a->run(seek_to("seq:7"));
  EXPECT_EQ(back.count, 0U);
  EXPECT_EQ(back.first, 7U);
  EXPECT_EQ(back.head, 10U);
  EXPECT_EQ(group_stats(*h.a, "h").position, 7U);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(7, 10));
  EXPECT_EQ(h.a->run(seek_to("oldest")).first, 1U);
  EXPECT_EQ(h.a->run(seek_to("seq:4")).count, 3U);
  EXPECT_EQ(h.a->run(seek_to("now")).count, 7U);
  EXPECT_EQ(counters_of(*h.a, "h")["skipped"], 10U);
  EXPECT_TRUE(h.a->drain(h.group, h.holder).empty());
  h.append(11, 12);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(11, 12));
}

TEST_P(StoreContract, AGroupIsMovedByTime) {
  History h(open(), "forever");
  h.append(1, 3);
  place().advance(Ms{1010});
  h.append(4, 5);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(1, 5));
  EXPECT_EQ(h.a->run(seek_to("-1s")).first, 4U);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(4, 5));
  EXPECT_EQ(h.a->run(seek_to("time:2001-01-01T00:00:00Z")).first, 1U);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(1, 5));
}

TEST_P(StoreContract, ASequenceIsOfPriority0AndTheOthersGoOnAtItsTime) {
  History h(open(), "forever");
  const Id urgent = h.a->stream(h.queue, 5);
  h.append(1, 3);
  h.a->append(urgent, {"a"});
  place().advance(Ms{1000});
  h.append(4, 6);
  h.a->append(urgent, {"b"});
  EXPECT_EQ(h.a->run(seek_to("seq:4")).count, 4U);
  h.a->append(urgent, {"c"});
  EXPECT_EQ(h.a->drain(h.group, h.holder), (std::vector<std::string>{"b", "c", "4", "5", "6"}));
  // Beyond the newest is now, for all: what comes is not passed over.
  h.a->run(seek_to("seq:1000"));
  h.a->append(urgent, {"d"});
  h.append(7, 7);
  EXPECT_EQ(h.a->drain(h.group, h.holder), (std::vector<std::string>{"d", "7"}));
}

TEST_P(StoreContract, MovingAGroupFencesWhatIsInHandsAndForgetsWhatWasToComeAgain) {
  History h(open(), "forever");
  h.append(1, 6);
  h.a->settle({settle_all(h.claim(2), Verdict::nacked, "failed")});
  const Completion alone = h.claim(1, true);
  ASSERT_EQ(seqs(alone), std::vector<Seq>{1});
  EXPECT_EQ(h.a->run(seek_to("seq:5")).count, 4U);
  EXPECT_EQ(h.a->settle({settle_all(alone)}), std::vector<u32>{0});
  const auto stats = group_stats(*h.a, "h");
  EXPECT_EQ(stats.claimed, 0U);
  EXPECT_EQ(stats.retrying, 0U);
  EXPECT_EQ(stats.depth, 2U);
  const Completion next = h.claim(10);
  EXPECT_EQ(texts(next), numbers(5, 6));
  EXPECT_EQ(next.claim->delivery, 1U);
}

TEST_P(StoreContract, MovingAGroupBackBeginsItsDeliveriesAnew) {
  History h(open(), "forever");
  h.append(1, 2);
  const Completion first = h.claim(2);
  h.a->run(seek_to("oldest"));
  const Completion again = h.claim(2);
  EXPECT_EQ(texts(again), numbers(1, 2));
  EXPECT_EQ(again.claim->delivery, 1U);
  EXPECT_NE(again.claim->id, first.claim->id);
  EXPECT_EQ(h.a->settle({settle_all(first)}), std::vector<u32>{0});
  EXPECT_TRUE(h.a->settle({settle_all(again)}).empty());
}

TEST_P(StoreContract, AGroupIsMovedInEachOfItsStreamsAndNoOtherWith) {
  History h(open(), "forever");
  const Id urgent = h.a->stream(h.queue, 9);
  const Id other = h.a->group(h.queue, "other");
  h.append(1, 2);
  h.a->append(urgent, {"a", "b"});
  place().advance(Ms{1000});
  h.append(3, 3);
  h.a->append(urgent, {"c"});
  const std::vector<std::string> all{"a", "b", "c", "1", "2", "3"};
  EXPECT_EQ(h.a->drain(h.group, h.holder), all);
  EXPECT_EQ(h.a->run(seek_to("seq:3")).first, 3U);
  EXPECT_EQ(h.a->drain(h.group, h.holder), (std::vector<std::string>{"c", "3"}));
  EXPECT_EQ(h.a->drain(other, h.holder), all);
}

TEST_P(StoreContract, ADeadLetterOnItsWayBackStaysOneWhenItsGroupIsMoved) {
  History h(open(), "forever");
  h.append(1, 2);
  h.a->settle({settle_all(h.claim(1), Verdict::dead, "unfit")});
  EXPECT_EQ(h.a->run(Steer{Verb::dead_requeue, "h", "", 0}).count, 1U);
  EXPECT_EQ(h.a->run(seek_to("now")).count, 1U);
  EXPECT_TRUE(h.a->drain(h.group, h.holder).empty());
  EXPECT_EQ(h.a->run(Steer{Verb::dead_requeue, "h", "", 0}).count, 1U);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(1, 1));
}

TEST_P(StoreContract, WhoWaitsHearsThatItsGroupWasMoved) {
  History h(open(), "forever");
  h.append(1, 2);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(1, 2));
  const auto b = open();
  b->run(seek_to("seq:2"));
  EXPECT_TRUE(h.a->wait_changed("h"));
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(2, 2));
}

TEST_P(StoreContract, ADroppedGroupHoldsNothingBack) {
  History h(open(), "consumed");
  h.append(1, 5);
  const Id slow = h.a->group(h.queue, "slow");
  h.a->settle({settle_all(h.a->claim(slow, h.holder, 1), Verdict::filtered)});
  h.a->settle({settle_all(h.a->claim(slow, h.holder, 1), Verdict::nacked, "failed")});
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(1, 5));
  h.a->tend("h");
  EXPECT_EQ(h.a->read(h.stream), numbers(2, 5));
  EXPECT_EQ(h.a->run(drop_of("slow")).count, 4U);
  EXPECT_EQ(h.a->tend("h"), 4U);
  EXPECT_EQ(h.a->stats("h").groups.size(), 1U);
  auto counters = counters_of(*h.a, "h");
  EXPECT_EQ(counters["filtered"], 1U);
  EXPECT_EQ(counters["skipped"], 4U);
  EXPECT_EQ(h.a->ask(drop_of("slow")).status.code(), Code::not_found);
}

TEST_P(StoreContract, ADroppedGroupIsMadeAnewByWhoWantsIt) {
  History h(open(), "forever");
  h.append(1, 3);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(1, 3));
  EXPECT_EQ(h.a->run(drop_of("g")).count, 0U);
  EXPECT_EQ(h.a->ask(driver::ClaimNext{h.group, h.holder, {}}).status.code(), Code::not_found);
  const Id again = h.a->group(h.queue);
  EXPECT_NE(again, h.group);
  EXPECT_EQ(h.a->drain(again, h.holder), numbers(1, 3));
}

TEST_P(StoreContract, AGroupInUseIsDroppedOnlyByForce) {
  History h(open(), "forever");
  h.append(1, 3);
  const Completion got = h.claim(2);
  EXPECT_EQ(h.a->ask(drop_of("g")).status.code(), Code::busy);
  EXPECT_EQ(group_stats(*h.a, "h").claimed, 2U);
  EXPECT_EQ(h.a->run(drop_of("g", "h", true)).count, 3U);
  EXPECT_EQ(h.a->settle({settle_all(got)}), std::vector<u32>{0});
}

TEST_P(StoreContract, WhoHasEndedKeepsNoGroup) {
  History h(open(), "forever");
  h.append(1, 3);
  {
    const auto b = open();
    b->claim(h.group, b->holder(), 2);
    b->stop();
  }
  EXPECT_EQ(h.a->run(drop_of("g")).count, 3U);
}

TEST_P(StoreContract, RefusesToSteerGroupsThatAreNotThere) {
  History h(open());
  h.append(1, 2);
  EXPECT_EQ(h.a->ask(seek_to("oldest", "none")).status.code(), Code::not_found);
  EXPECT_EQ(h.a->ask(seek_to("oldest", "g", "none")).status.code(), Code::not_found);
  EXPECT_EQ(h.a->ask(seek_to("yesterday")).status.code(), Code::invalid);
  EXPECT_EQ(h.a->ask(drop_of("none")).status.code(), Code::not_found);
  EXPECT_EQ(h.a->ask(drop_of("g", "none")).status.code(), Code::not_found);
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(1, 2));
}

TEST_P(StoreContract, AGroupsPlaceAndTheAgeOfItsBacklogAreTold) {
  History h(open(), "forever");
  EXPECT_EQ(group_stats(*h.a, "h").position, 1U);
  EXPECT_EQ(group_stats(*h.a, "h").oldest, driver::StoreTime{});
  h.append(1, 1);
  const auto first = h.a->run(driver::Read{h.stream, 1, {}}).messages.front().stored;
  place().advance(Ms{20});
  h.append(2, 3);
  const Completion got = h.claim(1);
  EXPECT_EQ(group_stats(*h.a, "h").position, 1U);  // in hands is not settled
  EXPECT_EQ(group_stats(*h.a, "h").oldest, first);
  h.a->settle({settle_all(got)});
  EXPECT_EQ(group_stats(*h.a, "h").position, 2U);
  EXPECT_GE(group_stats(*h.a, "h").oldest, first + Ms{20});
  h.a->drain(h.group, h.holder);
  EXPECT_EQ(group_stats(*h.a, "h").position, 4U);
  EXPECT_EQ(group_stats(*h.a, "h").oldest, driver::StoreTime{});
}

TEST_P(StoreMailboxContract, DroppingTheGroupOfAMailboxRemovesTheMailbox) {
  const Hold take{queue_, driver::hold_of_peer("a"), holder_, false};
  a_->run(take);
  readers("a");
  send({letter("a", body_), letter("a", body_)});
  EXPECT_EQ(a_->ask(drop_of("mailbox:a/default", "q")).status.code(), Code::busy);  // the peer is there
  a_->run(Hold{queue_, driver::hold_of_peer("a"), holder_, true});
  EXPECT_EQ(a_->run(drop_of("mailbox:a/default", "q")).count, 2U);
  EXPECT_EQ(counter("undeliverable"), 2U);
  EXPECT_FALSE(has_mailbox("a"));
  EXPECT_EQ(a_->ask(drop_of("mailbox:a/default", "q")).status.code(), Code::not_found);
}

TEST_P(StoreMailboxContract, EmptyMailboxesAreToldOnlyWhenAskedFor) {
  readers("a");
  const auto names = [&](bool mailboxes) {
    std::vector<std::string> found;
    const Completion answer = a_->run(driver::Inspect{"q", mailboxes});
    for (const auto& group : answer.queues.front().groups) found.push_back(group.name);
    std::ranges::sort(found);
    return found;
  };
  EXPECT_EQ(names(false), std::vector<std::string>{"g"});
  EXPECT_EQ(names(true), (std::vector<std::string>{"g", "mailbox:a/default"}));
}

}  // namespace
}  // namespace vtx::test
