/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: a store that went back in time, because an earlier backup was restored. It begins a new epoch; nothing that was said in one is taken for
// something of another, and nobody waits for what will not come.
#include "contract/history.hpp"
#include "vtx/driver/names.hpp"

namespace vtx::test {
namespace {

using driver::Append;
using driver::Commit;
using driver::Read;

/// A commit of these messages; `texts` must outlive it.
Commit commit_of(StoreSession& session, Id stream, const std::vector<std::string>& texts) {
  Commit commit = session.next_commit();
  Append append;
  append.stream = stream;
  for (const std::string& text : texts) {
    driver::Message message;
    message.body = bytes_of(text);
    append.messages.push_back(message);
  }
  commit.appends.push_back(std::move(append));
  return commit;
}

/// Opens it again after its session was lost, whose ids are good no more.
void open_again(History& h) {
  if (h.a->opened()) {
    EXPECT_EQ(h.a->ask(driver::Tend{h.name}).status.code(), Code::lost);
  }
  EXPECT_TRUE(h.a->wait_lost());
  h.a->start();
  h.queue = h.a->queue(h.name, "forever");
  h.stream = h.a->stream(h.queue);
  h.group = h.a->group(h.queue);
  h.holder = h.a->holder();
}

TEST_P(StoreContract, ARestoredStoreBeginsANewEpoch) {
  History h(open(), "forever");
  const std::string before = h.a->epoch();
  EXPECT_FALSE(before.empty());
  EXPECT_FALSE(h.a->went_back());
  h.append(1, 3);
  const auto restore = place().back_up();
  h.append(4, 6);
  restore();
  open_again(h);
  EXPECT_NE(h.a->epoch(), before);
  EXPECT_EQ(h.a->read(h.stream), numbers(1, 3));
  h.append(4, 4);
  EXPECT_EQ(open()->epoch(), h.a->epoch());
}

TEST_P(StoreContract, WhatIsOpenedAgainIsInItsEpochStill) {
  const auto a = open();
  const Id stream = a->stream(a->queue("h"));
  for (u64 i = 1; i <= 3; ++i) {
    const auto b = open();
    b->append(stream, {std::to_string(i)});
    EXPECT_EQ(b->epoch(), a->epoch());
    EXPECT_FALSE(b->went_back());
    b->stop();
  }
  EXPECT_EQ(a->read(stream), numbers(1, 3));
  a->stop();
  a->start();
  EXPECT_EQ(open()->epoch(), a->epoch());
  EXPECT_FALSE(a->went_back());
}

TEST_P(StoreContract, EachRestorationIsAnEpochOfItsOwn) {
  History h(open(), "forever");
  h.append(1, 1);
  const auto restore = place().back_up();
  std::set<std::string> epochs{h.a->epoch()};
  for (std::size_t i = 0; i < 3; ++i) {
    h.append(2, 3);
    restore();
    open_again(h);
    EXPECT_TRUE(epochs.insert(h.a->epoch()).second) << i;
  }
}

TEST_P(StoreContract, WhoOpensAStoreThatWentBackIsTold) {
  std::string before;
  std::function<void()> restore;
  {
    History h(open(), "forever");
    before = h.a->epoch();
    h.append(1, 3);
    restore = place().back_up();
    h.append(4, 6);
    h.a->stop();
  }
  restore();
  const auto b = open();
  EXPECT_EQ(b->went_back(), GetParam().is_alone);
  EXPECT_NE(b->epoch(), before);
  EXPECT_FALSE(open()->went_back());  // it is known now
}

TEST_P(StoreContract, WhoOnlyWaitsHearsThatTheStoreWentBack) {
  History h(open(), "forever");
  h.append(1, 3);
  const auto restore = place().back_up();
  h.append(4, 6);
  const auto b = open();
  EXPECT_TRUE(b->run(Read{h.stream, 7, {}, true}).messages.empty());
  h.a->stop();
  restore();
  EXPECT_TRUE(b->wait_lost());
}

TEST_P(StoreContract, ACommitThatTheRestoredStoreHasIsNotRepeatedAndOneThatItLostIsStored) {
  const std::vector<std::string> first = numbers(1, 2);
  const std::vector<std::string> second = numbers(3, 4);
  const std::vector<std::string> third = numbers(5, 5);
  History h(open(), "forever");
  const Commit kept = commit_of(*h.a, h.stream, first);
  EXPECT_TRUE(h.a->run(kept).status.ok());
  const auto restore = place().back_up();
  const Commit lost = commit_of(*h.a, h.stream, second);
  EXPECT_TRUE(h.a->run(lost).status.ok());
  restore();
  open_again(h);
  EXPECT_TRUE(h.a->run(kept).status.ok());
  EXPECT_EQ(h.a->read(h.stream), numbers(1, 2));
  EXPECT_TRUE(h.a->run(lost).status.ok());
  EXPECT_TRUE(h.a->run(lost).status.ok());
  EXPECT_TRUE(h.a->run(commit_of(*h.a, h.stream, third)).status.ok());
  EXPECT_EQ(h.a->read(h.stream), numbers(1, 5));
}

TEST_P(StoreContract, WhatIsAskedOfAnEarlierEpochHasNoEffect) {
  const std::vector<std::string> late = numbers(7, 7);
  History h(open(), "forever");
  h.append(1, 3);
  const auto restore = place().back_up();
  h.append(4, 6);
  const Commit commit = commit_of(*h.a, h.stream, late);
  restore();
  EXPECT_EQ(h.a->ask(commit).status.code(), Code::lost);
  const auto b = open();
  EXPECT_EQ(b->read(h.stream), numbers(1, 3));
}

TEST_P(StoreContract, ClaimsOfAnEarlierEpochAreFencedAndTheirNumbersNotGivenOutAgain) {
  History h(open(), "forever");
  h.append(1, 10);
  const auto restore = place().back_up();
  const Id holder = h.holder;
  const Completion first = h.claim(2);
  const Completion second = h.claim(2);
  restore();
  open_again(h);
  EXPECT_NE(h.holder, holder);
  const Completion again = h.claim(2);
  EXPECT_EQ(texts(again), numbers(1, 2));  // the backup knew nothing of the claims
  EXPECT_EQ(again.claim->delivery, 1U);
  EXPECT_NE(again.claim->id, first.claim->id);
  EXPECT_NE(again.claim->id, second.claim->id);
  EXPECT_EQ(h.a->settle({settle_all(first), settle_all(second)}), (std::vector<u32>{0, 1}));
  EXPECT_TRUE(h.a->settle({settle_all(again)}).empty());
}

TEST_P(StoreContract, WhatABackupHasInHandsComesAgainAtOnce) {
  History h(open(), "forever");
  h.append(1, 2);
  const Completion held = h.claim(2);
  const auto restore = place().back_up();
  EXPECT_TRUE(h.a->settle({settle_all(held)}).empty());
  restore();
  open_again(h);
  EXPECT_EQ(h.a->settle({settle_all(held)}), std::vector<u32>{0});
  EXPECT_EQ(h.a->drain(h.group, h.holder), numbers(1, 2));
}

TEST_P(StoreContract, AStreamTellsWhatIsNewSinceItWentBack) {
  History h(open(), "forever");
  EXPECT_FALSE(h.a->run(driver::OpenStream{h.queue, "main", "", 0}).fork);
  h.append(1, 3);
  const auto restore = place().back_up();
  h.append(4, 6);
  restore();
  open_again(h);
  h.append(4, 5);
  const auto answer = h.a->run(driver::OpenStream{h.queue, "main", "", 0});
  EXPECT_EQ(answer.fork, 3U);
  EXPECT_EQ(answer.head, 5U);
  // All of a stream that was made since is new.
  EXPECT_EQ(h.a->run(driver::OpenStream{h.a->queue("new"), "main", "", 0}).fork, 0U);
}

TEST_P(StoreContract, NamesAreFreeInANewEpoch) {
  History h(open(), "forever");
  const driver::Hold hold{h.queue, driver::hold_of_peer("a"), h.holder, false};
  h.a->run(hold);
  const auto restore = place().back_up();
  h.append(1, 1);
  restore();
  const auto b = open();
  const Id holder = b->holder();
  EXPECT_TRUE(b->ask(driver::Hold{b->queue("h"), hold.what, holder, false}).status.ok());
}

}  // namespace
}  // namespace vtx::test
