/* SPDX-License-Identifier: MPL-2.0 */
//
// Mailboxes: messages to a peer by its name, a reply and its request in one transaction, and what ends with the peer that had the name.
#include <gtest/gtest.h>

#include "contract/store_contract.hpp"
#include "vtx/driver/names.hpp"

namespace vtx::test {
namespace {

using driver::Append;
using driver::Commit;
using driver::Hold;
using driver::Message;
using driver::OpenGroup;
using driver::OpenStream;

TEST_P(StoreMailboxContract, WhatIsSentToAPeerIsItsOwn) {
  const std::string one = "for a";
  const std::string two = "for b";
  const Id a = readers("a");
  const Id b = readers("b%20c");
  EXPECT_EQ(send({letter("a", one), letter("b%20c", two), letter("a", two)}).count, 0U);
  EXPECT_EQ(a_->drain(a, holder_), (std::vector<std::string>{one, two}));
  EXPECT_EQ(a_->drain(b, holder_), std::vector<std::string>{two});
  EXPECT_TRUE(a_->drain(group_, holder_).empty());
  EXPECT_TRUE(a_->read(stream_).empty());
}

TEST_P(StoreMailboxContract, WhatNobodyHasAMailboxForIsCounted) {
  const std::string text = "hello";
  readers("a");
  EXPECT_EQ(send({letter("a", text), letter("nobody", text)}).count, 1U);
  EXPECT_EQ(counter("undeliverable"), 1U);
  EXPECT_EQ(a_->drain(readers("a"), holder_), std::vector<std::string>{text});
}

TEST_P(StoreMailboxContract, AReplyAndItsRequestAreOneTransaction) {
  const std::string reply = "42";
  const Id asker = readers("a");
  a_->append(stream_, numbers(1, 2));
  const Completion got = claim();
  const Settle second{group_, got.claim->id, bits({1}), {}};
  EXPECT_TRUE(send({letter("a", reply, 0)}, {second}).fenced.empty());
  EXPECT_EQ(a_->drain(asker, holder_), std::vector<std::string>{reply});
  // Bits join: the other message is all that the claim waits for.
  EXPECT_TRUE(a_->settle({Settle{group_, got.claim->id, bits({0}), {}}}).empty());
  EXPECT_EQ(a_->settle({second}), std::vector<u32>{0});
}

TEST_P(StoreMailboxContract, TheReplyToALostRequestIsNotStored) {
  const std::string reply = "late";
  const Id asker = readers("a");
  a_->append(stream_, numbers(1, 1));
  const Completion got = claim();
  a_->settle({settle_all(got, Verdict::nacked)});
  EXPECT_EQ(send({letter("a", reply, 0)}, {settle_all(got)}).fenced, std::vector<u32>{0});
  EXPECT_TRUE(a_->drain(asker, holder_).empty());
  EXPECT_EQ(counter("undeliverable"), 0U);
  EXPECT_EQ(claim_again().messages.size(), 1U);
}

TEST_P(StoreMailboxContract, ARepeatedReplyIsTheSame) {
  const std::string reply = "42";
  const Id asker = readers("a");
  a_->append(stream_, numbers(1, 1));
  const Completion got = claim();
  Commit commit = a_->next_commit();
  commit.appends.push_back(letter("a", reply, 0));
  commit.settles.push_back(settle_all(got));
  EXPECT_TRUE(a_->run(commit).fenced.empty());
  EXPECT_TRUE(a_->run(commit).fenced.empty());
  EXPECT_EQ(a_->drain(asker, holder_), std::vector<std::string>{reply});
}

TEST_P(StoreMailboxContract, TheMailboxOfADurablePeerStays) {
  const std::string text = "while you were away";
  EXPECT_TRUE(a_->ask(Hold{queue_, driver::hold_of_peer("a"), holder_, false}).status.ok());
  readers("a");
  EXPECT_TRUE(a_->ask(Hold{queue_, driver::hold_of_peer("a"), holder_, true}).status.ok());
  EXPECT_EQ(send({letter("a", text)}).count, 0U);
  EXPECT_EQ(a_->drain(readers("a"), holder_), std::vector<std::string>{text});
}

TEST_P(StoreMailboxContract, TheMailboxOfAnAnonymousPeerGoesWithIt) {
  const std::string text = "too late";
  EXPECT_TRUE(a_->ask(Hold{queue_, driver::hold_of_peer("~1"), holder_, false}).status.ok());
  const Id first = readers("~1");
  send({letter("~1", text), letter("~1", text), letter("~1", text)});
  a_->settle({settle_all(a_->claim(first, holder_, 1))});
  EXPECT_TRUE(a_->ask(Hold{queue_, driver::hold_of_peer("~1"), holder_, true}).status.ok());
  EXPECT_EQ(counter("undeliverable"), 2U);
  EXPECT_FALSE(has_mailbox("~1"));
  for (const auto& group : a_->stats("q").groups) EXPECT_EQ(group.name, "g");
  // Another one of that name begins with an empty one.
  EXPECT_TRUE(a_->ask(Hold{queue_, driver::hold_of_peer("~1"), holder_, false}).status.ok());
  const Id again = readers("~1");
  EXPECT_NE(again, first);
  EXPECT_TRUE(a_->drain(again, holder_).empty());
}

TEST_P(StoreMailboxContract, IdsOfRemovedMailboxesBelongToTheNext) {
  // One that remembers what an id was would mistake the next one.
  EXPECT_TRUE(a_->ask(Hold{queue_, driver::hold_of_peer("~1"), holder_, false}).status.ok());
  readers("~1");
  send({letter("~1", body_)});
  EXPECT_TRUE(a_->ask(Hold{queue_, driver::hold_of_peer("~1"), holder_, true}).status.ok());
  const Id other = a_->queue("q.dead");
  const Id stream = a_->stream(other);
  EXPECT_TRUE(a_->read(stream).empty());
  a_->append(stream, numbers(1, 2));
  const Id group = a_->group(other);
  EXPECT_EQ(a_->drain(group, holder_), numbers(1, 2));
  EXPECT_TRUE(a_->read(stream).empty());  // a dead-letter queue lets go at once
}

TEST_P(StoreMailboxContract, AnAnonymousPeerWhoseHolderDiedMayComeBackAsAnother) {
  const auto b = open();
  const std::string what = driver::hold_of_peer("~1");
  EXPECT_TRUE(b->ask(Hold{queue_, what, b->holder(), false}).status.ok());
  const Id asker = readers("~1");
  b->stop();
  a_->tend("q");
  EXPECT_TRUE(has_mailbox("~1"));
  EXPECT_TRUE(a_->ask(Hold{queue_, what, holder_, false}).status.ok());
  a_->tend("q");
  EXPECT_EQ(a_->drain(asker, holder_), std::vector<std::string>{body_});
}

TEST_P(StoreMailboxContract, TheNameOfADurablePeerIsFreeWhenItsHolderDies) {
  const auto b = open();
  const Id other = b->holder();
  const std::string what = driver::hold_of_peer("a");
  EXPECT_TRUE(b->ask(Hold{queue_, what, other, false}).status.ok());
  const Id asker = readers("a");
  send({letter("a", body_)});
  EXPECT_EQ(a_->ask(Hold{queue_, what, holder_, false}).status.code(), Code::busy);
  b->stop();
  EXPECT_TRUE(a_->ask(Hold{queue_, what, holder_, false}).status.ok());
  EXPECT_EQ(a_->drain(asker, holder_), std::vector<std::string>{body_});
}

TEST_P(StoreMailboxContract, AHolderThatHasEndedHoldsNothing) {
  const Id ended = open()->holder();
  EXPECT_EQ(a_->ask(Hold{queue_, driver::hold_of_peer("a"), ended, false}).status.code(), Code::fenced);
}

TEST_P(StoreMailboxContract, HoldsAreOfOneQueue) {
  const auto b = open();
  const Id other = b->holder();
  const std::string what = driver::hold_of_peer("a");
  EXPECT_TRUE(a_->ask(Hold{queue_, what, holder_, false}).status.ok());
  EXPECT_TRUE(b->ask(Hold{b->queue("another"), what, other, false}).status.ok());
}

TEST_P(StoreMailboxContract, WhatWasForgottenIsNotRecognised) {
  Commit commit = a_->next_commit();
  Append append;
  append.stream = stream_;
  Message message;
  message.body = bytes_of(body_);
  append.messages.push_back(message);
  commit.appends.push_back(append);
  a_->run(commit);
  a_->run(commit);
  EXPECT_EQ(a_->read(stream_).size(), 1U);
  a_->run(driver::Forget{commit.producer});
  a_->run(commit);
  EXPECT_EQ(a_->read(stream_).size(), 2U);
}

TEST_P(StoreMailboxContract, WhatAnotherHasLeftIsTended) {
  const auto streams = many_mailboxes(300, "10");
  write_to(streams, 12);
  a_.reset();
  a_ = open();
  EXPECT_EQ(a_->tend("many"), 600U);
}

TEST_P(StoreMailboxContract, EachThatWasWrittenToIsTended) {
  const auto streams = many_mailboxes(600, "10");
  write_to(streams, 12);
  EXPECT_EQ(a_->tend("many"), 1200U);
}

TEST_P(StoreMailboxContract, TheLastOfThousandsGrowsOldInTime) {
  auto streams = many_mailboxes(2500, "2s");
  const Id last = streams.back();
  streams.pop_back();
  write_to({last}, 1);
  place().advance(Ms{1500});
  write_to(streams, 1);
  place().advance(Ms{1100});
  EXPECT_GE(a_->tend("many"), 1U);
  EXPECT_TRUE(a_->read(last).empty());
}

TEST_P(StoreMailboxContract, ABusyStreamHoldsUpNoOther) {
  queue_ = a_->queue("many", "10");
  const Id main = a_->stream(queue_);  // before the others, so that it is ahead of them wherever ids decide
  const auto streams = many_mailboxes(50, "10");
  write_to(streams, 12);
  for (int i = 0; i < 10; ++i) {
    for (int n = 0; n < 2; ++n) a_->append(main, std::vector<std::string>(driver::kMaxBatch, "busy"));
    a_->run(driver::Tend{"many"});
  }
  for (const Id stream : streams) EXPECT_EQ(a_->read(stream).size(), 10U);
}

/// More mailboxes than are looked at in one step.
TEST_P(StoreMailboxContract, AmongHundredsOfMailboxesEachIsTended) {
  constexpr u64 kMailboxes = 200;
  constexpr int kCommits = 3;
  constexpr u64 kLetters = 3000;
  constexpr u64 kAll = kMailboxes + kCommits * kLetters;
  for (const std::string retain : {"consumed", "10", "2s"}) {
    queue_ = a_->queue("of " + retain, retain);
    std::vector<driver::Append> letters;
    for (u64 i = 0; i < kMailboxes; ++i) {
      letters.push_back(letter(std::to_string(i), body_));
      letters.back().stream = mailbox(std::to_string(i));
    }
    const Id busy = letters[100].stream;
    const Id group = readers("100");
    driver::Append to_busy = letters[100];
    to_busy.messages.resize(kLetters, to_busy.messages.front());
    send(std::move(letters));
    u64 gone = a_->tend("of " + retain);
    for (int i = 0; i < kCommits; ++i) send({to_busy});
    if (retain == "consumed") {
      EXPECT_EQ(a_->drain(group, holder_).size(), kCommits * kLetters + 1);
      EXPECT_EQ(a_->tend("of " + retain), kCommits * kLetters + 1);
    } else if (retain == "10") {
      EXPECT_EQ(a_->tend("of " + retain), kCommits * kLetters + 1 - 10);
      EXPECT_EQ(a_->read(busy).size(), 10U);
    } else {
      place().advance(Ms{2600});
      gone += a_->tend("of " + retain);
      EXPECT_EQ(gone, kAll);
    }
  }
}

TEST_P(StoreMailboxContract, DeadRequestsGoBackToTheirOwnGroup) {
  const std::string text = "crashes its worker";
  Commit commit = a_->next_commit();
  Append append;
  append.stream = a_->run(OpenStream{queue_, "up", "", 0}).id;
  Message message;
  message.body = bytes_of(text);
  append.messages.push_back(message);
  commit.appends.push_back(append);
  a_->run(commit);
  const Id main = a_->group(queue_, "default");
  const Id up = a_->run(OpenGroup{queue_, "up", "", "default", "", {}, {}, 10}).id;
  a_->settle({settle_all(a_->claim(up, holder_), Verdict::dead, "it did")});
  EXPECT_EQ(a_->run(driver::Steer{driver::Verb::dead_requeue, "q", "", 0}).count, 1U);
  EXPECT_TRUE(a_->drain(main, holder_).empty());
  EXPECT_EQ(a_->drain(up, holder_), std::vector<std::string>{text});
}

}  // namespace
}  // namespace vtx::test
