/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: limits. A queue refuses what would fill it over its limit, says how much still fits, and calls back who waits for room.
#include <algorithm>

#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

using Texts = std::vector<std::string>;

/// A limited queue "full" with a group, in the usual scene.
class StoreLimitContract {
 public:
  StoreLimitContract(StoreSession& session, const std::string& limit) : session_(session) {
    driver::OpenQueue open;
    open.queue = "full";
    open.limit = limit;
    open.defaults.retain = "consumed";
    queue_ = session.run(open).id;
    stream_ = session.stream(queue_);
    group_ = session.group(queue_);
  }

  driver::Append append(const Texts& bodies, int priority = 0, Ms delay = {}) const {
    driver::Append append;
    append.stream = stream_;
    append.priority = priority;
    for (const std::string& body : bodies) {
      driver::Message message;
      message.body = bytes_of(body);
      message.delay = delay;
      append.messages.push_back(message);
    }
    return append;
  }
  Completion send(const Texts& bodies, int priority = 0, Ms delay = {}) {
    driver::Commit commit;  // without a counter: what is refused is simply sent again
    commit.appends.push_back(append(bodies, priority, delay));
    return session_.ask(commit);
  }
  Id stream() const { return stream_; }
  Id group() const { return group_; }
  Id queue() const { return queue_; }

 private:
  StoreSession& session_;
  Id queue_ = 0;
  Id stream_ = 0;
  Id group_ = 0;
};

TEST_P(StoreQueueContract, RefusesWhatIsOverTheLimitAsAWhole) {
  StoreLimitContract full(*a_, "3");
  EXPECT_TRUE(full.send(numbers(1, 2)).status.ok());
  const Texts bodies = numbers(3, 4);
  driver::Commit commit = a_->next_commit();
  commit.appends.push_back(full.append(bodies));
  const Completion refused = a_->ask(commit);
  EXPECT_EQ(refused.status.code(), Code::full);
  EXPECT_TRUE(is_passing(refused.status.code()));
  EXPECT_EQ(refused.room.messages, 1U);
  EXPECT_EQ(a_->stats("full").messages, 2U);
  commit.appends.front().messages.pop_back();  // the same commit, with less
  EXPECT_TRUE(a_->ask(commit).status.ok());
  EXPECT_TRUE(a_->ask(commit).status.ok()) << "repeated it is no new one";
  EXPECT_EQ(full.send({"x"}).room.messages, 0U);
  EXPECT_EQ(a_->drain(full.group(), holder_), numbers(1, 3));
}

TEST_P(StoreQueueContract, ThereIsRoomWhenRetentionHasRetiredWhatWasSettled) {
  StoreLimitContract full(*a_, "2");
  const auto other = open();
  EXPECT_TRUE(full.send(numbers(1, 2)).status.ok());
  driver::Commit commit;
  const Texts three{"3"};
  commit.appends.push_back(full.append(three));
  EXPECT_EQ(other->ask(commit).status.code(), Code::full);
  EXPECT_EQ(a_->drain(full.group(), holder_), numbers(1, 2));
  a_->tend("full");
  EXPECT_TRUE(other->wait_changed("full")) << "who waits for room is called";
  EXPECT_TRUE(other->ask(commit).status.ok());
  EXPECT_EQ(a_->drain(full.group(), holder_), three);
}

TEST_P(StoreQueueContract, WhoWaitsForRoomInItsOwnStoreIsCalledToo) {
  StoreLimitContract full(*a_, "1");
  EXPECT_TRUE(full.send({"1"}).status.ok());
  EXPECT_EQ(full.send({"2"}).status.code(), Code::full);
  EXPECT_EQ(a_->drain(full.group(), holder_), Texts{"1"});
  a_->tend("full");
  EXPECT_TRUE(a_->wait_changed("full"));
  EXPECT_TRUE(full.send({"2"}).status.ok());
}

TEST_P(StoreQueueContract, AllPrioritiesAndDelayedMessagesCount) {
  StoreLimitContract full(*a_, "4");
  EXPECT_TRUE(full.send({"now"}).status.ok());
  EXPECT_TRUE(full.send({"high"}, 9).status.ok());
  EXPECT_TRUE(full.send({"later"}, 3, Ms{3'600'000}).status.ok());
  const Completion refused = full.send({"a", "b"}, 5);
  EXPECT_EQ(refused.status.code(), Code::full);
  EXPECT_EQ(refused.room.messages, 1U);
  EXPECT_TRUE(full.send({"a"}, 5, Ms{3'600'000}).status.ok());
  EXPECT_EQ(full.send({"b"}).status.code(), Code::full);
}

TEST_P(StoreQueueContract, AMessageThatFiresTakesNoMoreRoomThanBefore) {
  StoreLimitContract full(*a_, "1");
  EXPECT_TRUE(full.send({"soon"}, 0, Ms{20}).status.ok());
  EXPECT_EQ(full.send({"x"}).status.code(), Code::full);
  place().advance(Ms{50});
  EXPECT_EQ(full.send({"x"}).status.code(), Code::full);
  EXPECT_EQ(a_->drain(full.group(), holder_), Texts{"soon"});
  a_->tend("full");
  EXPECT_TRUE(full.send({"x"}).status.ok());
  EXPECT_EQ(full.send({"y"}).status.code(), Code::full);
}

TEST_P(StoreQueueContract, LimitsBytesAndLetsASingleLargerMessageIntoAnEmptyQueue) {
  StoreLimitContract full(*a_, "10B");
  const std::string large(25, 'x');
  const Completion both = full.send({large, "y"});
  EXPECT_EQ(both.status.code(), Code::full);
  EXPECT_GT(both.room.messages, 0U);
  EXPECT_EQ(both.room.bytes, 10U);
  EXPECT_TRUE(full.send({large}).status.ok());
  EXPECT_EQ(full.send({"y"}).room.bytes, 0U);
  EXPECT_EQ(a_->drain(full.group(), holder_), Texts{large});
  a_->tend("full");
  EXPECT_TRUE(full.send({"1234", "12"}).status.ok());
  EXPECT_TRUE(full.send({"later"}, 0, Ms{3'600'000}).status.code() == Code::full) << "4 bytes are left";
  EXPECT_TRUE(full.send({"1234"}, 7, Ms{3'600'000}).status.ok());
  EXPECT_EQ(full.send({"1"}).status.code(), Code::full);
  EXPECT_TRUE(full.send({""}).status.ok()) << "takes no bytes";
}

TEST_P(StoreQueueContract, ALimitMayBeDeclaredOnWhatIsThereAlready) {
  send(numbers(1, 5), 0);
  driver::OpenQueue open;
  open.queue = "q";
  open.limit = "5B";
  EXPECT_EQ(a_->ask(open).status.code(), Code::mismatch);
  open.change = true;
  EXPECT_EQ(a_->run(open).declared.limit, "5B");
  driver::Commit commit = a_->next_commit();
  driver::Append& append = commit.appends.emplace_back();
  append.stream = stream_;
  const std::string body = "6";
  append.messages.emplace_back().body = bytes_of(body);
  EXPECT_EQ(a_->ask(commit).status.code(), Code::full);
  open.limit = "6";
  a_->run(open);
  EXPECT_TRUE(a_->wait_changed("q")) << "there is room now";
  EXPECT_TRUE(a_->ask(commit).status.ok());
  open.limit = "";
  a_->run(open);
  send(numbers(7, 9), 0);
}

TEST_P(StoreMailboxContract, RepliesAreNotLimited) {
  driver::OpenQueue open;
  open.queue = "q";
  open.limit = "1";
  open.change = true;
  a_->run(open);
  mailbox("anna");
  const Id anna = readers("anna");
  for (int i = 0; i < 3; ++i) StoreMailboxContract::send({letter("anna", body_)});
  driver::Commit commit = a_->next_commit();
  driver::Append& direct = commit.appends.emplace_back();
  direct.stream = mailbox("anna");
  direct.messages.emplace_back().body = bytes_of(body_);
  EXPECT_TRUE(a_->ask(commit).status.ok());
  EXPECT_EQ(a_->drain(anna, holder_).size(), 4U);
}

TEST_P(StoreQueueContract, ADeadLetterQueueHasNoLimit) {
  driver::OpenQueue open;
  open.queue = "q.dead";
  open.limit = "1";
  EXPECT_EQ(a_->run(open).declared.limit, "");
  send(numbers(1, 3), 0);
  const Completion got = claim();
  a_->settle({settle_all(got, Verdict::dead, "no")});
  EXPECT_EQ(a_->stats("q").dead, 3U);
}

TEST_P(StoreQueueContract, GroupsMayBeginWithTheirQueue) {
  driver::OpenQueue open;
  open.queue = "fan";
  open.groups = {"a", "b"};
  open.defaults.retain = "consumed";
  const Id fan = a_->run(open).id;
  const Id stream = a_->stream(fan);
  a_->append(stream, numbers(1, 3));
  EXPECT_EQ(a_->drain(a_->group(fan, "a"), holder_), numbers(1, 3));
  EXPECT_EQ(a_->tend("fan"), 0U) << "b has not had it";
  EXPECT_EQ(a_->drain(a_->group(fan, "b"), holder_), numbers(1, 3));
  EXPECT_EQ(a_->tend("fan"), 3U);

  EXPECT_TRUE(a_->ask(open).status.ok()) << "declared alike";
  open.groups = {"a", "c"};
  EXPECT_EQ(a_->ask(open).status.code(), Code::mismatch);
  EXPECT_EQ(a_->stats("fan").groups.size(), 2U);
  open.change = true;
  EXPECT_TRUE(a_->ask(open).status.ok());
  EXPECT_EQ(a_->stats("fan").groups.size(), 3U);
}

TEST_P(StoreQueueContract, WithoutDeclaredGroupsAllIsKeptForTheFirst) {
  const Id queue = a_->queue("later");
  a_->append(a_->stream(queue), numbers(1, 3));
  EXPECT_EQ(a_->tend("later"), 0U);
  EXPECT_EQ(a_->drain(a_->group(queue, "first"), holder_), numbers(1, 3));
  EXPECT_EQ(a_->tend("later"), 3U);
}

TEST_P(StoreQueueContract, CountsWhatBecameOfNothingBeforeItWasStored) {
  driver::Commit commit = a_->next_commit();
  commit.tallies = {{queue_, "refused", 2}, {queue_, "expired", 1}};
  a_->run(commit);
  a_->run(commit);
  EXPECT_EQ(counter("refused"), 2U) << "a repeated commit counts once";
  EXPECT_EQ(counter("expired"), 1U);
}

TEST_P(StoreQueueContract, TrimmedIsCountedThoughThereIsNoGroup) {
  const Id log = a_->queue("log", "2");
  a_->append(a_->stream(log), numbers(1, 5));
  EXPECT_EQ(a_->tend("log"), 3U);
  const auto counters = a_->stats("log").counters;
  EXPECT_NE(std::ranges::find(counters, std::pair<std::string, u64>("trimmed", 3)), counters.end());
}

}  // namespace
}  // namespace vtx::test
