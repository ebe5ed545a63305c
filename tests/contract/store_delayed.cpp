/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: delayed messages. They come when they are due, in that order, whoever asks then; what concerns the queue concerns them, too.
#include <algorithm>
#include <random>

#include "contract/store_contract.hpp"
#include "vtx/driver/names.hpp"

namespace vtx::test {
namespace {

using Texts = std::vector<std::string>;

constexpr Ms kSoon{200};
constexpr Ms kAfter{230};
constexpr Ms kHour{3'600'000};

TEST_P(StoreQueueContract, ADelayedMessageComesWhenItIsDue) {
  send({"now"}, 0);
  send({"soon"}, 0, kSoon);
  EXPECT_EQ(a_->stats("q").delayed, 1U);
  EXPECT_EQ(a_->stats("q").messages, 1U);
  EXPECT_EQ(texts(claim()), Texts{"now"});
  const Completion none = claim();
  if (!none.claim) {  // else the machine was slow
    ASSERT_TRUE(none.due_in);
    EXPECT_LE(*none.due_in, kSoon);
    EXPECT_FALSE(none.retry_later);
    place().advance(kAfter);
    EXPECT_EQ(texts(claim()), Texts{"soon"});
  }
  EXPECT_EQ(a_->stats("q").delayed, 0U);
  EXPECT_EQ(a_->stats("q").messages, 2U);
}

TEST_P(StoreQueueContract, DelayedMessagesComeInDueOrderEqualOnesAsTheyWereSent) {
  const Texts bodies{"30a", "10a", "20a", "30b", "0", "10b"};
  driver::Commit commit = a_->next_commit();
  driver::Append append;
  append.stream = stream_;
  for (const std::string& body : bodies) {
    driver::Message message;
    message.body = bytes_of(body);
    message.delay = Ms(std::stoi(body));
    append.messages.push_back(message);
  }
  commit.appends.push_back(append);
  a_->run(commit);
  a_->run(commit);  // repeated, and without effect
  EXPECT_EQ(a_->stats("q").messages + a_->stats("q").delayed, 6U);
  place().advance(kSoon);
  EXPECT_EQ(a_->drain(group_, holder_), (Texts{"0", "10a", "10b", "20a", "30a", "30b"}));
}

TEST_P(StoreQueueContract, ThousandsOfRandomTimesComeInOrderAndOnTime) {
  std::mt19937 random(1);
  std::vector<int> delays(5000);
  for (int& delay : delays) delay = static_cast<int>(random() % 1500 + 1);
  Texts bodies;
  for (const int delay : delays) bodies.push_back(std::to_string(delay));
  driver::Commit commit = a_->next_commit();  // one, so that all count from one time
  for (std::size_t at = 0; at < bodies.size(); at += 2500) {
    driver::Append& append = commit.appends.emplace_back();
    append.stream = stream_;
    for (std::size_t i = at; i < at + 2500; ++i) {
      driver::Message message;
      message.body = bytes_of(bodies[i]);
      message.delay = Ms(delays[i]);
      append.messages.push_back(message);
    }
  }
  a_->run(std::move(commit));
  std::vector<int> came;
  std::vector<Ms> late;  // but for the time of the commit
  driver::StoreTime begin{};
  while (came.size() < delays.size()) {
    const Completion got = claim(driver::kMaxBatch, true);
    if (!got.claim) {
      ASSERT_TRUE(got.due_in) << came.size() << " came, and nothing more will";
      place().advance(std::max(*got.due_in, Ms(1)));
      continue;
    }
    for (const auto& message : got.messages) {
      came.push_back(std::stoi(std::string(reinterpret_cast<const char*>(message.body.data()), message.body.size())));
      const auto counted_from = message.stored - Ms(came.back());
      if (begin == driver::StoreTime{} || counted_from < begin) begin = counted_from;
      late.push_back(counted_from.time_since_epoch());
    }
    a_->settle({settle_all(got)});
  }
  std::ranges::sort(delays);
  EXPECT_EQ(came, delays);
  const Ms latest = std::ranges::max(late) - begin.time_since_epoch();
  EXPECT_LT(latest, Ms(5000)) << "a generous bound: the machine may be busy";
}

TEST_P(StoreQueueContract, DelayedMessagesOutliveTheSession) {
  send({"later"}, 0, kSoon);
  a_->stop();
  a_ = open();
  place().advance(kAfter);
  EXPECT_EQ(a_->drain(group_, a_->holder()), Texts{"later"});
}

TEST_P(StoreQueueContract, DelayedMessagesGoToTheirPriority) {
  send({"low"}, 0, kSoon);
  send({"high"}, 4, kSoon);
  send({"middle"}, 2);
  place().advance(kAfter);
  EXPECT_EQ(a_->drain(group_, holder_), (Texts{"high", "middle", "low"}));
}

TEST_P(StoreQueueContract, TimeToLiveCountsFromWhenAMessageIsDue) {
  send({"lives"}, 0, kSoon, kHour);
  send({"dies"}, 0, Ms{10}, Ms{20});
  place().advance(kAfter);
  const Completion got = claim();
  ASSERT_EQ(texts(got), Texts{"lives"});
  EXPECT_GT(got.messages[0].expires - got.messages[0].stored, kHour - Ms{30'000});
  EXPECT_LE(got.messages[0].expires - got.messages[0].stored, kHour);
  EXPECT_EQ(counter("expired"), 1U) << "nobody came for it in time";
}

TEST_P(StoreQueueContract, OneClaimFiresNoMoreThanItCanBear) {
  send(numbers(1, 2500), 0, Ms{1});
  place().advance(kSoon);
  EXPECT_EQ(claim(10).messages.size(), 10U);
  EXPECT_GT(a_->stats("q").delayed, 0U);
  EXPECT_EQ(a_->drain(group_, holder_), numbers(11, 2500));
  EXPECT_EQ(a_->stats("q").delayed, 0U);
}

TEST_P(StoreQueueContract, AClaimOfAllThatItFiredSaysThatMoreIsDue) {
  send(numbers(1, 2500), 0, Ms{1});
  place().advance(kSoon);
  std::size_t count = 0;
  for (bool more = true; more;) {
    const Completion got = claim(1000);
    ASSERT_TRUE(got.claim);
    count += got.messages.size();
    more = got.more;
  }
  EXPECT_EQ(count, 2500U);
}

TEST_P(StoreQueueContract, WhoWaitsHearsOfAnEarlierTime) {
  send({"later"}, 0, kHour);
  const auto other = open();
  const Id holder = other->holder();
  const Completion none = other->claim(group_, holder);
  ASSERT_TRUE(none.due_in);
  send({"sooner"}, 0, Ms{60'000});
  EXPECT_TRUE(other->wait_changed("q"));
  const Completion again = other->claim(group_, holder);
  ASSERT_TRUE(again.due_in);
  EXPECT_LE(*again.due_in, Ms{60'000});
}

TEST_P(StoreQueueContract, AllWhoWaitHearOfAnEarlierTime) {
  std::vector<std::unique_ptr<StoreSession>> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(open());
    EXPECT_FALSE(others.back()->claim(group_, others.back()->holder()).claim);
  }
  send({"sooner"}, 0, kHour);
  for (const auto& other : others) EXPECT_TRUE(other->wait_changed("q")) << "any of them may be busy then";
}

TEST_P(StoreQueueContract, AReaderIsToldTheTimeAndTendingFires) {
  const auto reader = open();
  EXPECT_TRUE(reader->run(driver::Read{stream_, 1, {}, true}).messages.empty());
  send({"soon"}, 0, kSoon);
  EXPECT_TRUE(reader->wait_changed("q"));
  const Completion none = reader->run(driver::Read{stream_, 1, {}, true});
  ASSERT_TRUE(none.due_in);
  EXPECT_LE(*none.due_in, kSoon);
  place().advance(kAfter);
  a_->run(driver::Tend{"q"});
  EXPECT_TRUE(reader->wait_changed("q"));
  EXPECT_EQ(reader->read(stream_), Texts{"soon"});
}

TEST_P(StoreQueueContract, WhoeverFiresWakesTheOthersThatWait) {
  const Id second = a_->group(queue_, "second");
  const auto other = open();
  const Id holder = other->holder();
  EXPECT_FALSE(other->claim(second, holder).claim);
  send({"soon"}, 0, kSoon);
  EXPECT_TRUE(other->wait_changed("q"));
  EXPECT_FALSE(other->claim(second, holder).claim);
  place().advance(kAfter);
  EXPECT_EQ(texts(claim()), Texts{"soon"});
  EXPECT_TRUE(other->wait_changed("q"));
  EXPECT_EQ(texts(other->claim(second, holder)), Texts{"soon"});
}

TEST_P(StoreMailboxContract, ADelayedLetterGoesWithItsMailbox) {
  for (const std::string peer : {"~1", "~2"}) {
    mailbox(peer);
    readers(peer);
    a_->run(driver::Hold{queue_, driver::hold_of_peer(peer), holder_, false});
    auto one = letter(peer, body_);
    one.messages[0].delay = kHour;
    StoreMailboxContract::send({one});
  }
  EXPECT_EQ(a_->stats("q").delayed, 2U);
  a_->run(driver::Hold{queue_, driver::hold_of_peer("~1"), holder_, true});
  EXPECT_EQ(counter("undeliverable"), 1U);
  EXPECT_EQ(a_->stats("q").delayed, 1U);
}

}  // namespace
}  // namespace vtx::test
