/* SPDX-License-Identifier: MPL-2.0 */
//
// A store driven by hand, a directory of its own, and other processes: this program run again with a role.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/types.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "store.hpp"

namespace vtx::sqlite::test {

using namespace driver;
using namespace std::chrono_literals;

inline constexpr auto kDeadline = 20s;

/// A SqliteStore with blocking calls. Events are kept apart from answers.
class Driven {
 public:
  explicit Driven(std::string path, std::map<std::string, std::string> options = {},
                  const Clock& clock = system_clock());

  Status start(bool create = true);
  /// start(), then waits for `opened`; fails the test otherwise.
  void open();
  SqliteStore& store() { return store_; }

  u64 submit(Operation operation);
  Completion wait(u64 ticket);
  Completion run(Operation operation) { return wait(submit(std::move(operation))); }
  /// Waits for an event; answers are kept.
  Completion wait_event(Event event);
  /// True when the event came within the time.
  bool saw(Event event, Ms within);
  void pump(Ms at_most);

  // Shorthands, each with EXPECTs.
  void declare(const std::string& queue = "jobs");
  Status send(const std::vector<std::string>& bodies, bool sync = true);
  Completion claim(u32 messages = 4096, bool alone = true);
  void ack(const Claim& claim);
  Settle settle_all(const Claim& claim, std::optional<Verdict> verdict = {}, std::string reason = {});

  Id queue = 0, stream = 0, group = 0, holder = 0;
  u64 counter = 0;
  std::array<std::byte, 16> producer{};

 private:
  Endpoint endpoint_;
  SqliteStore store_;
  u64 tickets_ = 0;
  std::vector<Completion> done_;
};

std::vector<std::string> bodies(const Completion& completion);

/// A temporary directory with a database name in it.
class SqliteTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  std::string directory_, path_;
};

/// An application's own handle.
class Foreign {
 public:
  explicit Foreign(const std::string& path);
  ~Foreign() { sqlite3_close(connection_); }
  void run(const std::string& sql);
  std::string value(const std::string& sql);
  sqlite3* raw() const { return connection_; }

 private:
  sqlite3* connection_ = nullptr;
};

/// This program again: `role` with arguments; its standard input and output are pipes.
class Process {
 public:
  Process(const std::string& role, const std::vector<std::string>& arguments);
  ~Process();
  std::string read_line();
  void write_line(const std::string& line);
  void signal(int number);
  /// Waits for its end.
  int wait();

 private:
  pid_t pid_ = 0;
  int in_ = -1, out_ = -1;
};

/// What a process in a role does; its result is the exit code.
int play(const std::string& role, const std::vector<std::string>& arguments);

}  // namespace vtx::sqlite::test
