/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: what is appended is kept as it was, in order, without holes, whole commits or nothing, and once.
#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

driver::Message message_of(const std::string& body) {
  driver::Message message;
  message.body = std::as_bytes(std::span(body));
  return message;
}

TEST_P(StoreQueueContract, NumbersMessagesFromOneWithoutHoles) {
  EXPECT_EQ(a_->append(stream_, numbers(1, 3)), 3U);
  EXPECT_EQ(a_->append(stream_, numbers(4, 5)), 5U);
  const Completion got = claim();
  EXPECT_EQ(texts(got), numbers(1, 5));
  EXPECT_EQ(seqs(got), (std::vector<Seq>{1, 2, 3, 4, 5}));
}

TEST_P(StoreQueueContract, KeepsBytesFramesAndPropertiesAsTheyWere) {
  const std::string empty;
  const std::string zeros("\0a\0\xff\n", 5);
  const std::string framed("\0\0\0\0\0\0\0\1x", 9);  // an empty frame and "x"
  driver::Commit commit = a_->next_commit();
  driver::Append append{stream_, {message_of(empty), message_of(zeros), message_of(framed)}, {}, -1};
  append.messages[1].properties = "User: \xc3\xa4 ' \" \\\nColour: blue\n";
  append.messages[2].frames = 2;
  append.messages[2].ttl = Ms{60'000};
  commit.appends.push_back(append);
  a_->run(std::move(commit));

  for (const Completion& got : {claim(), a_->run(driver::Read{stream_, 1, {}})}) {
    ASSERT_EQ(texts(got), (std::vector{empty, zeros, framed}));
    EXPECT_EQ(got.messages[0].frames, 1U);
    EXPECT_EQ(got.messages[2].frames, 2U);
    EXPECT_EQ(got.messages[0].properties, "");
    EXPECT_EQ(got.messages[1].properties, append.messages[1].properties);
    EXPECT_GT(got.messages[0].stored.time_since_epoch().count(), 0);
    EXPECT_EQ(got.messages[0].expires, driver::StoreTime{});
    EXPECT_EQ(got.messages[2].expires - got.messages[2].stored, Ms{60'000});
  }
}

TEST_P(StoreQueueContract, CarriesAMessageOf64MiB) {
  std::string big(std::size_t{64} << 20, 'x');
  big.front() = 'a';
  big.back() = 'z';
  a_->append(stream_, {"before"});
  EXPECT_EQ(a_->append(stream_, {big}, true), 2U);
  a_->append(stream_, {"after"});
  EXPECT_EQ(texts(claim(1)), std::vector<std::string>{"before"});
  const Completion got = claim();
  ASSERT_EQ(got.messages.size(), 1U);  // alone: it is over every limit of bytes
  EXPECT_TRUE(texts(got).front() == big);
  EXPECT_EQ(texts(claim()), std::vector<std::string>{"after"});
}

TEST_P(StoreQueueContract, TakesAndGivesTheLargestBatch) {
  EXPECT_EQ(a_->append(stream_, numbers(1, driver::kMaxBatch)), driver::kMaxBatch);
  const Completion got = claim();
  EXPECT_EQ(texts(got), numbers(1, driver::kMaxBatch));
  EXPECT_TRUE(a_->settle({settle_all(got)}).empty());
  EXPECT_EQ(a_->stats("q").groups.at(0).depth, 0U);
}

TEST_P(StoreQueueContract, WritesSeveralStreamsInOneCommit) {
  const Id urgent = a_->stream(queue_, 9);
  const Id elsewhere = a_->stream(a_->queue("other"));
  const std::string one = "one", two = "two", three = "three";
  driver::Commit commit = a_->next_commit();
  commit.appends.push_back({stream_, {message_of(one)}, {}, -1});
  commit.appends.push_back({elsewhere, {message_of(two), message_of(one)}, {}, -1});
  commit.appends.push_back({urgent, {message_of(three)}, {}, -1});
  a_->run(std::move(commit));
  EXPECT_EQ(a_->read(stream_), std::vector{one});
  EXPECT_EQ(a_->read(elsewhere), (std::vector{two, one}));
  EXPECT_EQ(a_->read(urgent), std::vector{three});
}

TEST_P(StoreQueueContract, RefusesACommitAsAWhole) {
  a_->append(stream_, numbers(1, 2));
  const Completion got = claim();
  const std::string body = "3";
  driver::Commit commit = a_->next_commit();
  commit.settles.push_back(settle_all(got));
  commit.appends.push_back({stream_, {message_of(body)}, {}, -1});
  commit.appends.push_back({987654, {message_of(body)}, {}, -1});  // no such stream
  EXPECT_FALSE(a_->ask(std::move(commit)).status.ok());
  EXPECT_EQ(a_->read(stream_), numbers(1, 2));
  EXPECT_EQ(a_->stats("q").groups.at(0).claimed, 2U);
  EXPECT_EQ(a_->append(stream_, {"3"}), 3U);
}

TEST_P(StoreQueueContract, RepeatedCommitHasTheSameAnswerAndNoEffect) {
  a_->append(stream_, numbers(1, 2));
  const Completion first = claim(1);
  const Completion second = claim(1);
  EXPECT_TRUE(a_->settle({settle_all(second)}).empty());
  const std::string body = "3";
  driver::Commit commit = a_->next_commit();
  commit.settles = {settle_all(second), settle_all(first, Verdict::nacked)};
  commit.appends.push_back({stream_, {message_of(body)}, {}, -1});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(a_->run(commit).fenced, std::vector<u32>{0}) << i;
  EXPECT_EQ(a_->read(stream_), numbers(1, 3));
  EXPECT_EQ(a_->stats("q").groups.at(0).retrying, 1U);

  // Also for a later session of another instance, and after further commits of the producer.
  driver::Commit later = a_->next_commit();
  later.appends.push_back({stream_, {message_of(body)}, {}, -1});
  a_->run(later);
  const auto b = open();
  EXPECT_TRUE(b->ask(later).status.ok());
  EXPECT_EQ(b->run(commit).fenced, std::vector<u32>{0});
  EXPECT_EQ(b->read(stream_).size(), 4U);
}

TEST_P(StoreQueueContract, ProducersDoNotDisturbEachOther) {
  const auto b = open();
  for (u64 i = 1; i <= 20; i += 2) {
    EXPECT_EQ(a_->append(stream_, {std::to_string(i)}), i);
    EXPECT_EQ(b->append(stream_, {std::to_string(i + 1)}), i + 1);
  }
  EXPECT_EQ(a_->read(stream_), numbers(1, 20));
}

TEST_P(StoreQueueContract, StoresAReplyOnlyWhenItsRequestIsNotFenced) {
  a_->append(stream_, numbers(1, 2));
  const Completion lost = claim(1);
  const Completion held = claim(1);
  EXPECT_TRUE(a_->settle({settle_all(lost)}).empty());
  const Id replies = a_->stream(a_->queue("replies"));
  const std::string no = "no", yes = "yes", always = "always";
  driver::Commit commit = a_->next_commit();
  commit.settles = {settle_all(lost), settle_all(held)};
  commit.appends.push_back({replies, {message_of(no)}, {}, 0});
  commit.appends.push_back({replies, {message_of(yes)}, {}, 1});
  commit.appends.push_back({replies, {message_of(always)}, {}, -1});
  EXPECT_EQ(a_->run(std::move(commit)).fenced, std::vector<u32>{0});
  EXPECT_EQ(a_->read(replies), (std::vector{yes, always}));
}

TEST_P(StoreQueueContract, AnswersInTheOrderOfSubmission) {
  const std::string body = "x";
  std::vector<u64> tickets;
  for (int i = 0; i < 100; ++i) {
    driver::Commit commit = a_->next_commit();
    commit.sync = i % 2 == 0;
    commit.appends.push_back({stream_, {message_of(body)}, {}, -1});
    tickets.push_back(a_->submit(std::move(commit)));
  }
  for (std::size_t i = 0; i < tickets.size(); ++i) EXPECT_EQ(a_->wait(tickets[i]).head, i + 1);
}

}  // namespace
}  // namespace vtx::test
