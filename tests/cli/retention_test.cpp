/* SPDX-License-Identifier: MPL-2.0 */
//
// Retention by age, count and size while messages flow: how late it is, and that `vtx show` tells what a slow group lost. The latest of all
// belongs to the machine's mood, and is left to `vtx_bench --case retention`: here three looks of four must find nothing a second late.
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <thread>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::int64_t kFlow = 3000;  // messages that have come and gone before it is over: seconds

struct Kind {
  std::string name;
  std::string retain;
  std::string due;  ///< SQL: since when the oldest message ought to be gone, in ms of the wall's clock
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

/// Looks into the database, or sends, as any program may.
class Look {
 public:
  explicit Look(const std::filesystem::path& path, int flags = SQLITE_OPEN_READONLY) {
    sqlite3* opened = nullptr;
    EXPECT_EQ(sqlite3_open_v2(path.c_str(), &opened, flags, nullptr), SQLITE_OK);
    database_.reset(opened);
    sqlite3_busy_timeout(opened, 10'000);
  }
  std::optional<std::int64_t> value(const std::string& sql) {
    std::optional<std::int64_t> found;
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sql;
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL)
      found = sqlite3_column_int64(statement, 0);
    EXPECT_EQ(sqlite3_finalize(statement), SQLITE_OK);
    return found;
  }

 private:
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database_{nullptr, &sqlite3_close};
};

/// Five lines of ten letters each.
std::string five_lines() { return "0123456789\n0123456789\n0123456789\n0123456789\n0123456789\n"; }

std::int64_t wall_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

class RetentionTest : public CliTest, public testing::WithParamInterface<Kind> {
 protected:
  /// Makes the queue, with a group that takes one message and then no more.
  void declare() const {
    ASSERT_EQ(run({"send", uri("&retain=" + GetParam().retain), "--type", "pub"}, file("0123456789\n")).code, 0);
    ASSERT_EQ(run({"recv", uri("&subscription=slow&from=oldest"), "--type", "sub", "-n", "1"}).out, "0123456789\n");
  }
  json show() const {
    const Outcome answer = run({"show", uri(), "--json"});
    EXPECT_EQ(answer.code, 0) << answer.err;
    return json::parse(answer.out);
  }
};

TEST_P(RetentionTest, HoldsWhileMessagesFlowAndShowsWhatASlowGroupLost) {
  declare();
  Process sender(scratch_, {"send", uri(), "--type", "pub"}, "/dev/null", Process::Out::file, Process::In::pipe);
  Look look(database());
  std::vector<std::int64_t> late;
  const auto deadline = std::chrono::steady_clock::now() + 1min;
  while (look.value("SELECT min(seq) FROM vtx_message").value_or(0) < kFlow) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "retention does not keep up";
    sender.write_in(five_lines());
    std::this_thread::sleep_for(5ms);
    const auto due = look.value(GetParam().due);
    late.push_back(due ? std::max<std::int64_t>(0, wall_ms() - *due) : 0);
  }
  // The sender is still there and retention at work: all that one answer says must fit together.
  const json queue = show();
  const json group = queue.at("groups").at(0);
  EXPECT_EQ(group.at("name"), "slow");
  EXPECT_EQ(group.at("trimmed"), queue.at("tail").get<std::int64_t>() - 2);  // all but the one that it had taken
  EXPECT_EQ(group.at("depth"), queue.at("messages"));
  EXPECT_EQ(queue.at("counters").at("trimmed"), group.at("trimmed"));

  std::ranges::sort(late);
  EXPECT_LT(late.at(late.size() * 3 / 4), 1000) << "greatest: " << late.back();
}

class RetentionOfOthers : public RetentionTest {};

TEST_P(RetentionOfOthers, ASenderThatEndsAtOnceLeavesNoMoreThanIsRetained) {
  declare();
  ASSERT_EQ(run({"send", uri(), "--type", "pub"}, file(numbered_lines(3000, 6))).code, 0);
  EXPECT_LE(show().at("messages"), 500);
}

TEST_P(RetentionOfOthers, WhatComesBySqlIsTendedByWhoHearsOfIt) {
  declare();
  Process reader(scratch_, {"tail", uri(), "-n", "1"}, "/dev/null", Process::Out::pipe);
  EXPECT_EQ(reader.read_out(11), "0123456789\n");
  Look application(database(), SQLITE_OPEN_READWRITE);
  const auto deadline = std::chrono::steady_clock::now() + 30s;  // half of what it would take without being told
  for (const std::int64_t tail_after : {1502, 3502}) {  // the second time it is not its own beginning that tends
    application.value(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
        "INSERT INTO vtx_send (queue, body) SELECT 'jobs', '0123456789' FROM n");
    while (show().at("tail") < tail_after && std::chrono::steady_clock::now() < deadline) {
    }
    EXPECT_EQ(show().at("tail"), tail_after);
  }
  EXPECT_EQ(show().at("messages"), 500);
}

// By count and size the message that pushed the oldest out is the first of those that fit.
constexpr const char* kPushedOut = "SELECT stored FROM vtx_message ORDER BY id LIMIT 1 OFFSET 500";

INSTANTIATE_TEST_SUITE_P(Kinds, RetentionTest,
                         testing::Values(Kind{"age", "1s", "SELECT stored + 1000 FROM vtx_message ORDER BY id LIMIT 1"},
                                         Kind{"count", "500", kPushedOut}, Kind{"size", "5000B", kPushedOut}),
                         [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(Kinds, RetentionOfOthers,
                         testing::Values(Kind{"count", "500", kPushedOut}, Kind{"size", "5000B", kPushedOut}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace vtx::test
