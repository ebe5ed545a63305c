/* SPDX-License-Identifier: MPL-2.0 */
//
// Writes that fail, and what is shared by those that do not.
#include <sys/resource.h>

#include <csignal>

#include "scene.hpp"

namespace vtx::rocks::test {
namespace {

using WriteTest = RocksTest;

/// No file of this process grows beyond so much while this lives.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &was_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit now{bytes, was_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &was_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit was_{};
  void (*handler_)(int);
};

TEST_F(WriteTest, AfterAFailedWriteMemoryIsAsTheDisk) {
  const auto a = open_beside();
  const auto b = open_beside();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const Id group = a->group(queue);
  a->append(stream, numbers(1, 2), true);
  const std::string large(8 << 20, 'x');
  const driver::Commit commit = commit_of(*a, stream, large);
  {
    const SmallDisk small(4 << 20);
    const Completion failed = a->ask(commit);
    EXPECT_TRUE(is_passing(failed.status.code())) << failed.status.text();
    EXPECT_NE(failed.status.text().find(path_.string()), std::string::npos) << failed.status.text();
    EXPECT_TRUE(a->wait_lost());
    EXPECT_TRUE(b->wait_lost()) << "it had the same books";
  }
  a->start();
  EXPECT_EQ(a->queue("q"), queue);
  EXPECT_EQ(a->read(stream), numbers(1, 2));
  EXPECT_EQ(a->stats("q").messages, 2U);
  EXPECT_TRUE(a->ask(commit).status.ok()) << "it is not known yet";
  EXPECT_EQ(a->run(driver::OpenStream{queue, "main", "", 0}).head, 3U);
  const Id holder = a->holder();
  EXPECT_EQ(a->drain(group, holder).size(), 3U);
}

TEST_F(WriteTest, ARefusedOperationLeavesNoTraceInAWriteOfMany) {
  const auto a = open();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const std::string one = "1", two = "2", three = "3";
  const u64 first = a->submit(commit_of(*a, stream, one));
  driver::Commit wrong = commit_of(*a, stream, two);
  wrong.appends.push_back(wrong.appends.front());
  wrong.appends.back().stream = 123456;
  const u64 second = a->submit(wrong);
  const u64 third = a->submit(commit_of(*a, stream, three));
  EXPECT_TRUE(a->wait(first).status.ok());
  EXPECT_EQ(a->wait(second).status.code(), Code::not_found);
  EXPECT_EQ(a->wait(third).head, 2U);
  EXPECT_EQ(a->read(stream), (std::vector<std::string>{"1", "3"}));
}

TEST_F(WriteTest, WhatOneWriteAppendsTheSameWriteCanClaim) {
  const auto a = open();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const Id group = a->group(queue);
  const Id holder = a->holder();
  const std::string body = "quick";
  a->submit(commit_of(*a, stream, body));
  const Completion got = a->wait(a->submit(driver::ClaimNext{group, holder, {}}));
  EXPECT_EQ(texts(got), std::vector<std::string>{body});
}

TEST_F(WriteTest, AClaimOfTheSameNumberIsTheSameClaim) {
  const auto a = open();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  driver::ClaimNext wish{a->group(queue), a->holder(), {2, 100}};
  wish.number = 1;
  a->append(stream, numbers(1, 5));
  const Completion first = a->run(wish);
  const Completion again = a->run(wish);
  EXPECT_EQ(again.claim->id, first.claim->id);
  EXPECT_EQ(texts(again), numbers(1, 2));
  wish.number = 2;
  const Completion second = a->run(wish);
  EXPECT_EQ(texts(second), numbers(3, 4));
  EXPECT_EQ(a->stats("q").groups.at(0).claimed, 4U);
  // Both answers may have been lost, and the directory may have another owner since.
  a->start();
  EXPECT_EQ(a->run(wish).claim->id, second.claim->id);
  wish.number = 1;
  EXPECT_EQ(a->run(wish).claim->id, first.claim->id);
  // One that is closed is not there to be had again.
  EXPECT_EQ(a->settle({settle_all(first)}), std::vector<u32>{});
  EXPECT_EQ(texts(a->run(wish)), numbers(5, 5));
}

TEST_F(WriteTest, ALetterThatWentBackToItsGroupSurvivesTheConsumersOfItsNeighbours) {
  const auto a = open();
  const Id queue = a->queue("q");
  const Id group = a->group(queue);
  const Id holder = a->holder();
  a->append(a->stream(queue), numbers(1, 3), true);
  a->settle({settle_all(a->claim(group, holder, 10, false), driver::Verdict::dead, "no")});
  EXPECT_EQ(a->run(driver::Steer{driver::Verb::dead_requeue, "q", "", 2}).count, 1U);
  const Id undertakers = a->group(a->queue("q.dead"), "undertakers");
  EXPECT_EQ(a->drain(undertakers, holder), (std::vector<std::string>{"1", "3"}));
  EXPECT_EQ(a->drain(group, holder), numbers(2, 2));
  EXPECT_EQ(a->stats("q").dead, 0U);
}

TEST_F(WriteTest, ASessionHearsOfTheLettersThatItMadeItself) {
  const auto a = open();
  const Id queue = a->queue("q");
  const Id group = a->group(queue);
  const Id holder = a->holder();
  const Id undertakers = a->group(a->queue("q.dead"), "undertakers");
  EXPECT_FALSE(a->claim(undertakers, holder, 10, false).claim);
  a->append(a->stream(queue), {"x"}, true);
  a->settle({settle_all(a->claim(group, holder, 10, false), driver::Verdict::dead, "no")});
  EXPECT_TRUE(a->wait_changed("q.dead"));
}

/// Both in one write: the second looks at what the first has put into it.
TEST_F(WriteTest, ALetterThatIsBuriedBesideOneThatIsSettledStays) {
  const auto a = open();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue), group = a->group(queue), holder = a->holder();
  a->append(stream, numbers(1, 2));
  EXPECT_TRUE(a->settle({settle_all(a->claim(group, holder, 1), Verdict::dead, "bad")}).empty());
  const Id dead = a->queue("q.dead", "forever");
  const Completion letter = a->claim(a->group(dead), holder, 1);
  EXPECT_EQ(texts(letter), numbers(1, 1));
  driver::Commit buries = a->next_commit(), settles = a->next_commit();
  buries.settles.push_back(settle_all(a->claim(group, holder, 1), Verdict::dead, "bad, too"));
  settles.settles.push_back(settle_all(letter));
  const u64 first = a->submit(std::move(buries)), second = a->submit(std::move(settles));
  EXPECT_TRUE(a->wait(first).status.ok());
  EXPECT_TRUE(a->wait(second).status.ok());
  EXPECT_EQ(a->read(a->stream(dead)), numbers(2, 2));
}

}  // namespace
}  // namespace vtx::rocks::test
