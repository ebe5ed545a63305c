/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: dead letters. Copied with the reason, consumed like any queue, given back to their group alone, dropped.
#include <algorithm>

#include "contract/store_contract.hpp"

namespace vtx::test {
namespace {

using driver::Steer;
using driver::Verb;

class StoreDeadLetters {
 public:
  explicit StoreDeadLetters(StoreSession& session) : session_(session), queue_(session.queue("q.dead")) {}
  Id queue() const { return queue_; }
  Completion read() { return session_.run(driver::Read{session_.stream(queue_), 1, {}}); }

 private:
  StoreSession& session_;
  Id queue_;
};

/// True when the properties hold this very line.
bool has_line(std::string_view properties, const std::string& line) {
  return ("\n" + std::string(properties)).find("\n" + line + "\n") != std::string::npos;
}

TEST_P(StoreQueueContract, DeadLetterTellsWhereItComesFromAndWhy) {
  const std::string body = "poison";
  driver::Message message;
  message.body = std::as_bytes(std::span(body));
  message.frames = 1;
  message.properties = "User: me\n";
  a_->append(stream_, {"before"});
  driver::Commit commit = a_->next_commit();
  commit.appends.push_back({stream_, {message}, {}, -1});
  a_->run(std::move(commit));
  a_->settle({settle_all(claim(1))});
  a_->settle({settle_all(claim(), Verdict::nacked)});
  a_->settle({settle_all(claim_again(), Verdict::dead, "could not: parse it")});

  EXPECT_EQ(a_->stats("q").dead, 1U);
  EXPECT_EQ(a_->stats("q").groups.at(0).depth, 0U);
  const Completion got = StoreDeadLetters(*a_).read();
  ASSERT_EQ(texts(got), std::vector{body});
  const std::string_view properties = got.messages[0].properties;
  EXPECT_TRUE(properties.starts_with("User: me\n")) << properties;
  for (const char* line :
       {"Dead-Group: g", "Dead-Reason: could not: parse it", "Dead-Queue: q", "Dead-Sequence: 2", "Dead-Deliveries: 2"})
    EXPECT_TRUE(has_line(properties, line)) << line << " is not in\n" << properties;
  const auto counters = a_->stats("q").counters;
  EXPECT_NE(std::ranges::find(counters, std::pair<std::string, u64>("dead_lettered", 1)), counters.end());
}

TEST_P(StoreQueueContract, DeadLetterReasonCannotForgeProperties) {
  a_->append(stream_, {"x"});
  a_->settle({settle_all(claim(), Verdict::dead, "broken\nDead-Group: other")});
  const Completion got = StoreDeadLetters(*a_).read();
  ASSERT_EQ(got.messages.size(), 1U);
  EXPECT_FALSE(has_line(got.messages[0].properties, "Dead-Group: other"));
  EXPECT_TRUE(has_line(got.messages[0].properties, "Dead-Group: g"));
}

TEST_P(StoreQueueContract, RequeueGivesADeadLetterToItsGroupAlone) {
  const Id second = a_->group(queue_, "second");
  a_->append(stream_, numbers(1, 3));
  EXPECT_EQ(a_->drain(second, holder_), numbers(1, 3));
  const Completion got = claim();
  Settle settle = settle_all(got);
  settle.odd = {{1, Verdict::dead, {}, "no"}};
  a_->settle({settle});

  EXPECT_EQ(a_->run(Steer{Verb::dead_requeue, "q", "", 1}).count, 1U);
  EXPECT_FALSE(a_->claim(second, holder_, 10, true).claim);
  const Completion again = claim();
  EXPECT_EQ(texts(again), numbers(2, 2));
  EXPECT_EQ(again.claim->delivery, 1U);
  EXPECT_EQ(again.claim->group, group_);
  a_->settle({settle_all(again)});
  EXPECT_EQ(a_->stats("q").dead, 0U);
  EXPECT_EQ(a_->stats("q").groups.at(0).depth, 0U);
  EXPECT_TRUE(StoreDeadLetters(*a_).read().messages.empty());
}

TEST_P(StoreQueueContract, RequeuedDeadLetterCanDieAgain) {
  a_->append(stream_, {"well", "x"});
  a_->settle({settle_all(claim(1))});
  a_->settle({settle_all(claim(), Verdict::dead, "first")});
  EXPECT_EQ(a_->run(Steer{Verb::dead_requeue, "q", "", 0}).count, 1U);
  EXPECT_EQ(a_->run(Steer{Verb::dead_requeue, "q", "", 0}).count, 0U);  // it is on its way already
  a_->settle({settle_all(claim_again(), Verdict::nacked)});
  a_->settle({settle_all(claim_again(), Verdict::dead, "second")});
  EXPECT_EQ(a_->stats("q").dead, 1U);
  const Completion got = StoreDeadLetters(*a_).read();
  ASSERT_EQ(got.messages.size(), 1U);
  const std::string_view properties = got.messages[0].properties;
  // Of its two deaths the newest counts, but it comes from where it came from.
  for (const char* line : {"Dead-Reason: second", "Dead-Queue: q", "Dead-Sequence: 2", "Dead-Deliveries: 2"})
    EXPECT_TRUE(has_line(properties, line)) << line << " is not in\n" << properties;
  EXPECT_FALSE(has_line(properties, "Dead-Reason: first"));
  EXPECT_EQ(a_->run(Steer{Verb::dead_requeue, "q", "", got.messages[0].seq}).count, 1U);
  EXPECT_EQ(a_->drain(group_, holder_), std::vector<std::string>{"x"});
}

TEST_P(StoreQueueContract, DropsOneDeadLetterOrAll) {
  a_->append(stream_, numbers(1, 4));
  a_->settle({settle_all(claim(), Verdict::dead, "no")});
  EXPECT_EQ(a_->run(Steer{Verb::dead_drop, "q", "", 2}).count, 1U);
  EXPECT_EQ(texts(StoreDeadLetters(*a_).read()), (std::vector<std::string>{"1", "3", "4"}));
  EXPECT_EQ(a_->ask(Steer{Verb::dead_drop, "q", "", 2}).status.code(), Code::not_found);
  EXPECT_EQ(a_->run(Steer{Verb::dead_drop, "q", "", 0}).count, 3U);
  EXPECT_EQ(a_->stats("q").dead, 0U);
  EXPECT_EQ(a_->run(Steer{Verb::dead_drop, "q", "", 0}).count, 0U);
}

TEST_P(StoreQueueContract, SteeringAnUnknownQueueIsNotFound) {
  EXPECT_EQ(a_->ask(Steer{Verb::dead_requeue, "nowhere", "", 0}).status.code(), Code::not_found);
  EXPECT_EQ(a_->ask(Steer{Verb::dead_drop, "nowhere", "", 0}).status.code(), Code::not_found);
}

TEST_P(StoreQueueContract, DeadLettersStayUntilSomebodySettlesThem) {
  a_->append(stream_, numbers(1, 3));
  a_->settle({settle_all(claim(), Verdict::dead, "no")});
  StoreDeadLetters dead(*a_);
  const Id readers = a_->group(dead.queue(), "readers");
  const Id others = a_->group(dead.queue(), "others");
  a_->tend("q");
  a_->tend("q.dead");
  EXPECT_EQ(a_->stats("q").dead, 3U);

  const Completion got = a_->claim(readers, holder_, 2);
  EXPECT_EQ(texts(got), numbers(1, 2));
  a_->settle({settle_all(got)});
  EXPECT_EQ(a_->stats("q").dead, 1U);
  EXPECT_EQ(a_->drain(others, holder_), numbers(3, 3));  // what one settled is gone for all
  EXPECT_EQ(a_->stats("q").dead, 0U);
  EXPECT_FALSE(a_->claim(readers, holder_).claim);
}

TEST_P(StoreQueueContract, MessagesMissingInsideAClaimCountAsSettled) {
  a_->append(stream_, numbers(1, 4));
  a_->settle({settle_all(claim(), Verdict::dead, "no")});
  a_->run(Steer{Verb::dead_drop, "q", "", 2});
  StoreDeadLetters dead(*a_);
  const Id readers = a_->group(dead.queue(), "readers");
  std::vector<std::string> all;
  while (all.size() < 3) {
    const Completion got = a_->claim(readers, holder_);
    ASSERT_TRUE(got.claim);
    for (const auto& message : got.messages) {
      EXPECT_GE(message.seq, got.claim->first);
      EXPECT_LE(message.seq, got.claim->last);
    }
    std::ranges::copy(texts(got), std::back_inserter(all));
    EXPECT_TRUE(a_->settle({settle_all(got)}).empty());
  }
  EXPECT_EQ(all, (std::vector<std::string>{"1", "3", "4"}));
  EXPECT_EQ(a_->stats("q.dead").groups.at(0).claimed, 0U);
}

TEST_P(StoreQueueContract, DeadLettersDoNotDieFurther) {
  a_->append(stream_, {"x"});
  a_->settle({settle_all(claim(), Verdict::dead, "no")});
  const Id readers = a_->group(StoreDeadLetters(*a_).queue(), "readers");
  const Completion got = a_->claim(readers, holder_);
  ASSERT_TRUE(got.claim);
  a_->settle({settle_all(got, Verdict::dead, "again")});
  EXPECT_EQ(a_->stats("q").dead, 1U);
  EXPECT_EQ(a_->ask(driver::Inspect{"q.dead.dead"}).status.code(), Code::not_found);
  EXPECT_EQ(texts(a_->claim(readers, holder_, 10, true)), std::vector<std::string>{"x"});
}

TEST_P(StoreContract, OnlyTheExactEndingMakesADeadLetterQueue) {
  const auto a = open();
  const Id holder = a->holder();
  for (const char* name : {"x.DEAD", "xdead", "x.dead2"}) {
    const Id queue = a->queue(name);
    const Id one = a->group(queue, "one");
    const Id two = a->group(queue, "two");
    a->append(a->stream(queue), numbers(1, 3));
    EXPECT_EQ(a->drain(one, holder), numbers(1, 3)) << name;
    EXPECT_EQ(a->drain(two, holder), numbers(1, 3)) << name;
  }
}

TEST_P(StoreQueueContract, DeadLetterOutlivesItsOriginal) {
  a_->append(stream_, {"x"});
  a_->settle({settle_all(claim(), Verdict::dead, "no")});
  EXPECT_EQ(a_->tend("q"), 1U);
  EXPECT_TRUE(a_->read(stream_).empty());
  EXPECT_EQ(a_->run(Steer{Verb::dead_requeue, "q", "", 0}).count, 1U);
  EXPECT_EQ(a_->drain(group_, holder_), std::vector<std::string>{"x"});
}

}  // namespace
}  // namespace vtx::test
