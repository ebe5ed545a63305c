/* SPDX-License-Identifier: MPL-2.0 */
//
// Statements that come again are left with the server by a name, and a name that it refuses takes nothing else with it.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>

#include "connection.hpp"
#include "errors.hpp"
#include "support/postgres_database.hpp"

namespace vtx::postgres {
namespace {

using test::PostgresDatabase;

/// One session, each statement with the number 7 as its parameter.
class Statements {
 public:
  explicit Statements(const driver::Endpoint& endpoint, bool pooler = false) : connection_(driver::system_clock()) {
    auto info = make_conninfo(endpoint).value();
    info.pooler = pooler;
    EXPECT_TRUE(connection_.start(info).ok());
    EXPECT_TRUE(wait([&] { return connection_.live(); })) << connection_.why().text();
  }

  std::uint64_t send(const std::string& statement) {
    Parameters seven;
    seven.add(std::int32_t{7});
    connection_.send(++last_, statement, std::move(seven));
    return last_;
  }
  /// What came back: an integer, or the SQLSTATE.
  std::string answer(std::uint64_t ticket) {
    EXPECT_TRUE(wait([&] {
      for (auto& reply : connection_.take_replies()) replies_[reply.ticket] = std::move(reply.result);
      return replies_.contains(ticket);
    }));
    const Result& result = replies_[ticket];
    return result.ok() ? std::to_string(result.integer(0, 0)) : std::string(result.sqlstate());
  }
  std::string ask(const std::string& statement) { return answer(send(statement)); }
  /// That the server has by name and that contain `text`.
  std::string count_named(const std::string& text) {
    return ask("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%" + text +
               "%' AND statement NOT LIKE '%prepared%' AND $1 = 7");
  }
  bool live() const { return connection_.live(); }
  /// As a pooler does that gives another session of the server. @return the SQLSTATE; empty: none
  std::string forget_all() {
    connection_.send(++last_, "DEALLOCATE ALL", {});
    const auto ticket = last_;
    (void)answer(ticket);
    return std::string(replies_[ticket].sqlstate());
  }
  /// What the newest answer means.
  Status why() { return translate(replies_[last_], "here"); }
  /// Why the session ended, after this statement.
  Status end_by(const std::string& statement) {
    send(statement);
    EXPECT_FALSE(wait([] { return false; }));
    return connection_.failed() ? connection_.why() : Status();
  }

 private:
  template <class Done>
  bool wait(Done done) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (connection_.failed() || std::chrono::steady_clock::now() > until) return false;
      pollfd one{
          connection_.fd(),
          static_cast<short>((connection_.wants_read() ? POLLIN : 0) | (connection_.wants_write() ? POLLOUT : 0)), 0};
      (void)::poll(&one, 1, 50);
      connection_.poll();
    }
    return true;
  }

  Connection connection_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Result> replies_;
};

class StatementNames : public testing::Test {
 protected:
  const PostgresDatabase database_;
};

TEST_F(StatementNames, AreGivenToWhatComesAgain) {
  Statements statements(database_.endpoint());
  const std::string once = "SELECT $1 + 1 AS once", again = "SELECT $1 + 2 AS again";
  EXPECT_EQ(statements.ask(once), "8");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(statements.ask(again), "9");
  EXPECT_EQ(statements.count_named("AS once"), "0");
  EXPECT_EQ(statements.count_named("AS again"), "1");
}

TEST_F(StatementNames, AreNotWaitedFor) {
  Statements statements(database_.endpoint());
  const std::string text = "SELECT $1 + 3 AS pipelined";
  std::uint64_t last = 0;
  for (int i = 0; i < 10; ++i) last = statements.send(text);
  for (std::uint64_t ticket = 1; ticket <= last; ++ticket) EXPECT_EQ(statements.answer(ticket), "10");
  EXPECT_EQ(statements.count_named("AS pipelined"), "1");
}

TEST_F(StatementNames, AreNotUsedBehindAPooler) {
  Statements statements(database_.endpoint(PostgresDatabase::Way::bouncer), true);
  const std::string text = "SELECT $1 + 4 AS pooled";
  for (int i = 0; i < 4; ++i) EXPECT_EQ(statements.ask(text), "11");
  EXPECT_EQ(statements.count_named("AS pooled"), "0");
}

TEST_F(StatementNames, ThatAreRefusedTakeNothingElseWithThem) {
  Statements statements(database_.endpoint());
  const std::string text = "SELECT 2 * n FROM numbers WHERE n = $1";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(statements.ask(text), "42P01");
  const auto first = statements.send(text), second = statements.send(text);
  EXPECT_EQ(statements.answer(first), "42P01");
  EXPECT_EQ(statements.answer(second), "42P01");
  database_.sql("CREATE TABLE numbers AS SELECT 7 AS n");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(statements.ask(text), "14");
  EXPECT_EQ(statements.count_named("FROM numbers"), "1");
}

TEST_F(StatementNames, OutliveAnErrorOfTheirStatement) {
  Statements statements(database_.endpoint());
  database_.sql("CREATE SEQUENCE turns");
  // Fails when it is run the first two times, by the second of which it has a name.
  const std::string text = "SELECT 10 / CASE WHEN nextval('turns') > 2 THEN $1 - 5 ELSE 0 END";
  EXPECT_EQ(statements.ask(text), "22012");
  EXPECT_EQ(statements.ask(text), "22012");
  EXPECT_EQ(statements.ask(text), "5");
  EXPECT_EQ(statements.count_named("10 / CASE"), "1");
  EXPECT_TRUE(statements.live());
}

TEST_F(StatementNames, ThatAreGoneAreNotTheMessagesFault) {
  Statements statements(database_.endpoint());
  const std::string text = "SELECT $1 + 5 AS gone";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(statements.ask(text), "12");
  EXPECT_EQ(statements.forget_all(), "");
  EXPECT_EQ(statements.ask(text), "26000");
  EXPECT_EQ(statements.why().code(), Code::lost) << "who sent something keeps it";
  EXPECT_NE(statements.why().text().find("write pooler=on"), std::string::npos) << statements.why().text();
}

TEST_F(StatementNames, OfWhatAnswersOtherColumnsNowEndTheSession) {
  Statements statements(database_.endpoint());
  database_.sql("CREATE FUNCTION answer(n int, OUT a int) AS 'SELECT n' LANGUAGE sql");
  const std::string text = "SELECT * FROM answer($1)";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(statements.ask(text), "7");
  database_.sql("DROP FUNCTION answer");
  database_.sql("CREATE FUNCTION answer(n int, OUT a int, OUT b int) AS 'SELECT n, n' LANGUAGE sql");
  const Status why = statements.end_by(text);
  EXPECT_EQ(why.code(), Code::lost);
  EXPECT_NE(why.text().find("schema was changed"), std::string::npos) << why.text();
}

}  // namespace
}  // namespace vtx::postgres
