/* SPDX-License-Identifier: MPL-2.0 */
//
// Sending with the sqlite3 shell, a program that knows nothing of VTX, in transactions of its own: to a `vtx recv` that waits in another process.
// The rest of sending by SQL is in tests/drivers/sqlite/sql_test.cpp.
#include <chrono>
#include <future>
#include <optional>
#include <thread>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Us = std::chrono::microseconds;

/// The shell with a table `orders` of the application's own, and every commit on disk when COMMIT returns.
class Shell {
 public:
  Shell(const std::filesystem::path& scratch, const std::filesystem::path& database)
      : process_(scratch, {"-batch", "-bail", database}, {}, Process::Out::pipe, Process::In::pipe, "sqlite3") {
    EXPECT_EQ(ask(".timeout 10000\nPRAGMA wal_autocheckpoint = 0;"), "0\n");
    EXPECT_EQ(ask("PRAGMA synchronous = FULL; PRAGMA synchronous; CREATE TABLE orders (article TEXT);"), "2\n");
  }
  /// Runs it. @return what it printed
  std::string ask(const std::string& sql) {
    begin(sql);
    return end();
  }
  /// Has the shell run it; end() waits until it has.
  void begin(const std::string& sql) { process_.write_in(sql + "\n.print .\n"); }
  std::string end() {
    std::string out;
    while (!out.ends_with(".\n")) {
      const std::string next = process_.read_out(1);
      if (next.empty()) {
        ADD_FAILURE() << "the shell ended: " << process_.wait().err;
        return out;
      }
      out += next;
    }
    return out.substr(0, out.size() - 2);
  }
  /// An order and its message.
  void order(const std::string& article) {
    EXPECT_EQ(ask("INSERT INTO orders VALUES ('" + article +
                  "'); INSERT INTO vtx_send (queue, body) VALUES ('jobs', '" + article + "');"),
              "");
  }

 private:
  Process process_;
};

class ShellTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    send("first\n");
    receiver_.emplace(scratch_, Strings{"recv", uri()}, "/dev/null", Process::Out::pipe);
    ASSERT_EQ(receiver_->read_out(6), "first\n");
    shell_.emplace(scratch_, database());
  }
  void TearDown() override {
    shell_.reset();
    receiver_.reset();
    CliTest::TearDown();
  }

  std::optional<Process> receiver_;
  std::optional<Shell> shell_;
};

TEST_F(ShellTest, ACommitDeliversAndARollbackDoesNot) {
  shell_->ask("BEGIN IMMEDIATE;");
  shell_->order("chair");
  shell_->ask("ROLLBACK;");
  shell_->ask("BEGIN IMMEDIATE;");
  shell_->order("table");
  shell_->order("lamp");
  shell_->ask("COMMIT;");
  EXPECT_EQ(receiver_->read_out(11), "table\nlamp\n");
  shell_->ask("BEGIN IMMEDIATE;");
  shell_->order("bed");
  shell_->ask("ROLLBACK;");
  shell_->order("desk");  // each statement a transaction of its own
  EXPECT_EQ(receiver_->read_out(5), "desk\n");
  EXPECT_EQ(shell_->ask("SELECT article FROM orders;"), "table\nlamp\ndesk\n");
  EXPECT_EQ(shell_->ask("SELECT max(seq) FROM vtx_message;"), "4\n") << "what was rolled back has left no trace";
}

// Without a wake-up the receiver would still look once a second: half of the messages would take longer than 100 ms.
TEST_F(ShellTest, ACommitWakesTheReceiver) {
  constexpr int kSends = 100;
  std::vector<Us> after_start;
  std::vector<Us> after_return;
  for (int i = 0; i < kSends; ++i) {
    shell_->ask("BEGIN IMMEDIATE;");
    shell_->order(std::to_string(1000 + i));
    std::this_thread::sleep_for(3ms);  // the receiver has settled the one before, and waits again
    const auto start = Clock::now();
    shell_->begin("COMMIT;");
    auto returned = std::async(std::launch::async, [this] {
      shell_->end();
      return Clock::now();
    });
    EXPECT_EQ(receiver_->read_out(5), std::to_string(1000 + i) + "\n");
    const auto received = Clock::now();
    after_start.push_back(std::chrono::duration_cast<Us>(received - start));
    after_return.push_back(std::chrono::duration_cast<Us>(received - returned.get()));
  }
  std::ranges::sort(after_start);
  std::ranges::sort(after_return);
  RecordProperty("us_from_commit_begun", std::to_string(after_start.at(kSends / 2).count()));
  RecordProperty("us_from_commit_returned", std::to_string(after_return.at(kSends / 2).count()));
  EXPECT_LT(after_start.at(kSends / 2), 100ms);
}

}  // namespace
}  // namespace vtx::test
