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

class Producer {
 public:
  explicit Producer(const fs::path& path) {
    int told[2];
    EXPECT_EQ(::pipe2(told, O_CLOEXEC), 0);
    ::setenv(kPathVariable, path.c_str(), 1);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(told[1], STDERR_FILENO);
      const int nowhere = ::open("/dev/null", O_WRONLY);
      ::dup2(nowhere, STDOUT_FILENO);
      ::execl("/proc/self/exe", "producer", "--gtest_also_run_disabled_tests",
              "--gtest_filter=ProcessTest.DISABLED_Producer", nullptr);
      ::_exit(1);
    }
    ::close(told[1]);
    said_ = told[0];
  }
  ~Producer() {
    kill();
    ::close(said_);
  }
  /// Waits until it has said so of so many.
  void wait_for(int count) const {
    char one = 0;
    while (count-- > 0) ASSERT_EQ(::read(said_, &one, 1), 1);
  }
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
    Producer producer(path_);
    producer.wait_for(20);
    durable += static_cast<u64>(producer.kill());
  }
  const auto a = open();
  EXPECT_FALSE(a->went_back());
  const auto all = a->read(a->stream(a->queue("q", "forever")));
  EXPECT_GE(all.size(), durable);
  EXPECT_EQ(all, numbers(1, all.size()));
}

}  // namespace
}  // namespace vtx::rocks::test
