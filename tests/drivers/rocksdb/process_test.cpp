/* SPDX-License-Identifier: MPL-2.0 */
//
// Another process that owns the directory, and dies: this program again, with a test that only it runs.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "scene.hpp"

namespace vtx::rocks::test {
namespace {

using ProcessTest = RocksTest;

constexpr const char* kPathVariable = "VTX_ROCKS_PRODUCER_PATH";

/// Appends numbers, and says after each that it is durable. Ends by being killed.
TEST_F(ProcessTest, DISABLED_Producer) {
  const char* const path = std::getenv(kPathVariable);
  if (!path) return;
  path_ = path;
  const auto a = open();
  const Id stream = a->stream(a->queue("q", "forever"));
  for (u64 i = 1;; ++i) {
    a->append(stream, {std::to_string(i)}, true);
    if (::write(STDERR_FILENO, ".", 1) != 1) return;
  }
}

/// Has a name and a claim that nobody else is to have for an hour. Ends by being killed.
TEST_F(ProcessTest, DISABLED_Consumer) {
  const char* const path = std::getenv(kPathVariable);
  if (!path) return;
  path_ = path;
  const auto a = open();
  const Id queue = a->queue("q", "forever");
  const Id holder = a->holder(Ms{3'600'000});
  a->run(driver::Hold{queue, "peer:me", holder});
  (void)a->claim(a->group(queue), holder, 2);
  if (::write(STDERR_FILENO, ".", 1) == 1) ::pause();
}

/// A process in one of the roles above.
class Child {
 public:
  Child(const fs::path& path, const std::string& role) {
    int told[2];
    EXPECT_EQ(::pipe2(told, O_CLOEXEC), 0);
    ::setenv(kPathVariable, path.c_str(), 1);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(told[1], STDERR_FILENO);
      const int nowhere = ::open("/dev/null", O_WRONLY);
      ::dup2(nowhere, STDOUT_FILENO);
      ::execl("/proc/self/exe", "producer", "--gtest_also_run_disabled_tests",
              ("--gtest_filter=ProcessTest.DISABLED_" + role).c_str(), nullptr);
      ::_exit(1);
    }
    ::close(told[1]);
    said_ = told[0];
  }
  ~Child() {
    kill();
    ::close(said_);
  }
  /// Waits until it has said so of so many.
  void wait_for(int count) const {
    char one = 0;
    while (count-- > 0) ASSERT_EQ(::read(said_, &one, 1), 1);
  }
  /// It does nothing any more, and lives.
  void stop() const { ::kill(child_, SIGSTOP); }
  /// @return how many more it had said it of
  int kill() {
    if (child_ == 0) return 0;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = 0;
    int more = 0;
    for (char one = 0; ::read(said_, &one, 1) == 1;) ++more;
    return more;
  }

 private:
  pid_t child_ = 0;
  int said_ = -1;
};

TEST_F(ProcessTest, WhatAKilledOwnerCalledDurableIsThere) {
  u64 durable = 20;
  {
    Child producer(path_, "Producer");
    producer.wait_for(20);
    durable += static_cast<u64>(producer.kill());
  }
  const auto a = open();
  EXPECT_FALSE(a->went_back());
  const auto all = a->read(a->stream(a->queue("q", "forever")));
  EXPECT_GE(all.size(), durable);
  EXPECT_EQ(all, numbers(1, all.size()));
}

TEST_F(ProcessTest, WhatAKilledOwnerHadInHandComesAgainAtOnceAndItsNameIsFree) {
  {
    const auto a = open();
    a->append(a->stream(a->queue("q", "forever")), numbers(1, 3), true);
    a->group(a->queue("q", "forever"));
  }
  {
    Child consumer(path_, "Consumer");
    consumer.wait_for(1);
  }
  const auto a = open();
  const Id queue = a->queue("q", "forever");
  const Id holder = a->holder();
  EXPECT_TRUE(a->ask(driver::Hold{queue, "peer:me", holder}).status.ok());
  const Completion beat = a->run(driver::Beat{holder, Ms{5000}});
  ASSERT_EQ(beat.holders.size(), 1U);
  EXPECT_TRUE(beat.holders[0].dead);
  EXPECT_EQ(a->run(driver::TakeOver{beat.holders[0].holder, beat.holders[0].count}).count, 1U);
  EXPECT_EQ(a->drain(a->group(queue), holder), numbers(1, 3));
}

/// Of one who was attached, and died while nobody was there to see it.
TEST_F(ProcessTest, ANameIsFreeWhenItsProcessDiedUnseen) {
  auto first = open_beside();
  const Id queue = first->queue("q", "forever");
  Child consumer(path_, "Consumer");
  consumer.wait_for(1);
  consumer.stop();
  first.reset();
  const auto next = open_beside();
  const Id holder = next->holder();
  EXPECT_EQ(next->ask(driver::Hold{queue, "peer:me", holder}).status.code(), Code::busy);
  consumer.kill();
  EXPECT_TRUE(next->ask(driver::Hold{queue, "peer:me", holder}).status.ok());
}

}  // namespace
}  // namespace vtx::rocks::test
