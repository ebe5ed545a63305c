/* SPDX-License-Identifier: MPL-2.0 */
//
// Whether the servers, the pooler and the proxy of the Postgres tests do what these stand on: a fault that silently did not
// happen would make any test of it pass.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>

#include "contract/postgres_place.hpp"
#include "support/cutting_proxy.hpp"
#include "support/pgbouncer.hpp"
#include "support/postgres_database.hpp"
#include "support/postgres_standby.hpp"

namespace vtx::test {
namespace {

using Way = PostgresDatabase::Way;

TEST(PostgresSupport, GivesADatabaseWhoseOwnerIsNoSuperuser) {
  const PostgresDatabase database;
  for (const Way way : {Way::tcp, Way::socket, Way::bouncer}) {
    SqlSession session(database.address(way));
    EXPECT_EQ(session.value("SELECT current_user || ' ' || current_database()"), "vtx " + database.name());
  }
  SqlSession owner(database.address());
  EXPECT_EQ(owner.value("SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = 'vtx'"), "f");
  owner.exec("CREATE SCHEMA vtx; CREATE TABLE vtx.a (n int); INSERT INTO vtx.a VALUES (1), (NULL)");
  const SqlRows rows = owner.exec("SELECT n FROM vtx.a WHERE n IS NULL OR n = $1 ORDER BY 1", {"1"});
  EXPECT_EQ(rows, (SqlRows{{"1"}, {std::nullopt}}));
}

TEST(PostgresSupport, DropsTheDatabaseWhoeverUsesIt) {
  auto database = std::make_unique<PostgresDatabase>();
  const std::string name = database->name();
  SqlSession still_there(database->address(Way::bouncer));
  still_there.exec("BEGIN");
  database.reset();
  const PostgresDatabase other;
  EXPECT_EQ(other.sql("SELECT 1 FROM pg_database WHERE datname = '" + name + "'"), SqlRows{});
}

TEST(PostgresSupport, SaysWhatTheServerSaid) {
  const PostgresDatabase database;
  try {
    database.sql("SELECT 1/0");
    FAIL() << "nothing was thrown";
  } catch (const SqlError& error) {
    EXPECT_EQ(error.sqlstate, "22012");
    EXPECT_STREQ(error.what(), "ERROR:  division by zero\n");
  }
}

TEST(PostgresSupport, PoolsByTransaction) {
  const PostgresDatabase database;
  SqlSession a(database.address(Way::bouncer));
  SqlSession b(database.address(Way::bouncer));
  const char* who = "SELECT pg_backend_pid()";
  EXPECT_EQ(a.value(who), b.value(who)) << "each has a session of its own";
  a.exec("BEGIN");
  EXPECT_NE(a.value(who), b.value(who));
}

TEST(PostgresSupport, RestoresABackupUnderASessionAtWork) {
  const PostgresPlace place(false);
  SqlSession session(place.address());
  session.exec(
      "CREATE SCHEMA vtx; CREATE SEQUENCE vtx.ids; CREATE TABLE vtx.messages (n bigint PRIMARY KEY DEFAULT "
      "nextval('vtx.ids'));"
      "CREATE TABLE vtx.child () INHERITS (vtx.messages); INSERT INTO vtx.child DEFAULT VALUES");
  const auto restore = place.back_up();
  session.exec("INSERT INTO vtx.child DEFAULT VALUES; CREATE TABLE vtx.later (n int)");
  session.exec("BEGIN; INSERT INTO vtx.child DEFAULT VALUES");
  auto restoring = std::async(std::launch::async, restore);
  EXPECT_EQ(restoring.wait_for(std::chrono::milliseconds{100}), std::future_status::timeout);
  session.exec("COMMIT");
  restoring.get();
  EXPECT_EQ(session.exec("SELECT n FROM vtx.messages"), (SqlRows{{"1"}}));
  EXPECT_EQ(session.value("SELECT nextval('vtx.ids')"), "2");
  EXPECT_EQ(session.value("SELECT to_regclass('vtx.later') IS NULL"), "t");
  restore();
}

TEST(PostgresSupport, ComesBackOnTheSamePortWithWhatWasCommitted) {
  PostgresServer server({"max_connections=20"});
  EXPECT_EQ(server.sql("postgres", "SHOW max_connections"), (SqlRows{{"20"}}));
  server.sql("postgres", "CREATE TABLE t (n int)");
  const std::uint16_t port = server.port();
  int rows = 0;
  for (const auto& end : {std::function<void()>([&] { server.stop(); }),
                          std::function<void()>([&] { server.stop(PostgresServer::Stop::immediate); }),
                          std::function<void()>([&] { server.kill_postmaster(); })}) {
    SqlSession at_work(server.address());
    at_work.exec("INSERT INTO t VALUES (1)");
    end();
    EXPECT_THROW(at_work.exec("SELECT 1"), SqlError);
    EXPECT_THROW(SqlSession{server.address()}, SqlError);
    server.start();
    EXPECT_EQ(server.port(), port);
    EXPECT_EQ(SqlSession(server.address()).value("SELECT count(*) FROM t"), std::to_string(++rows));
  }
}

TEST(PostgresSupport, EndsWithTheTestThatStartedIt) {
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const PostgresServer server;
    const std::string directory = server.socket_directory();
    if (::write(told[1], directory.data(), directory.size()) < 0) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  char name[200] = "";
  ASSERT_GT(::read(told[0], name, sizeof name - 1), 0);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (std::filesystem::exists(name) && std::chrono::steady_clock::now() < deadline) ::usleep(10'000);
  EXPECT_FALSE(std::filesystem::exists(name));
  ::close(told[0]);
  ::close(told[1]);
}

TEST(PostgresSupport, FollowsAPrimaryAndTakesItsPlace) {
  auto primary = std::make_unique<PostgresServer>();
  primary->sql("postgres", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
  StandbyServer standby(*primary);
  primary->sql("postgres", "INSERT INTO t VALUES (2)");
  ASSERT_TRUE(standby.catch_up(*primary));
  EXPECT_EQ(standby.sql("postgres", "SELECT n FROM t"), (SqlRows{{"1"}, {"2"}}));
  EXPECT_THROW(standby.sql("postgres", "INSERT INTO t VALUES (3)"), SqlError);
  primary.reset();
  standby.promote();
  standby.sql("postgres", "INSERT INTO t VALUES (3)");
  EXPECT_EQ(standby.sql("postgres", "SELECT count(*) FROM t"), (SqlRows{{"3"}}));
}

/// A database with a table `t`, and a proxy before it.
class Proxied : public testing::Test {
 protected:
  Proxied() { database_.sql("CREATE TABLE t (word text)"); }
  std::string address() const { return proxy_.address(database_.name()); }
  SqlRows words() const { return database_.sql("SELECT word FROM t ORDER BY word"); }

  const PostgresDatabase database_;
  CuttingProxy proxy_{SharedPostgres::get().port};
};

TEST_F(Proxied, PassesEverythingOn) {
  SqlSession session(address());
  const std::string large(5'000'000, 'x');
  session.exec("INSERT INTO t VALUES ($1)", {large});
  EXPECT_EQ(session.value("SELECT word FROM t"), large);
  EXPECT_EQ(proxy_.connections(), 1U);
}

TEST_F(Proxied, CutsAndRefuses) {
  SqlSession before(address());
  proxy_.refuse_connections(true);
  EXPECT_THROW(SqlSession{address()}, SqlError);
  EXPECT_EQ(before.value("SELECT 1"), "1");
  proxy_.cut();
  EXPECT_THROW(before.exec("SELECT 1"), SqlError);
  proxy_.refuse_connections(false);
  EXPECT_EQ(SqlSession(address()).value("SELECT 1"), "1");
  EXPECT_EQ(proxy_.connections(), 2U);
}

TEST_F(Proxied, LosesTheAnswerToAPlainCommit) {
  SqlSession session(address());
  session.exec("BEGIN; INSERT INTO t VALUES ('a')");
  proxy_.lose_answer("COMMIT");
  EXPECT_THROW(session.exec("COMMIT"), SqlError);
  EXPECT_TRUE(proxy_.wait_fault());
  EXPECT_EQ(words(), (SqlRows{{"a"}}));
  SqlSession(address()).exec("BEGIN; INSERT INTO t VALUES ('b'); COMMIT");
}

TEST_F(Proxied, LosesTheAnswerToAMessageWithParameters) {
  SqlSession session(address());
  proxy_.lose_answer("needle");
  session.exec("INSERT INTO t VALUES ($1)", {"hay"});
  EXPECT_FALSE(proxy_.wait_fault(std::chrono::milliseconds{0}));
  EXPECT_THROW(session.exec("INSERT INTO t VALUES ($1)", {"a needle"}), SqlError);
  EXPECT_TRUE(proxy_.wait_fault());
  EXPECT_EQ(words(), (SqlRows{{"a needle"}, {"hay"}}));
}

TEST_F(Proxied, LosesARequest) {
  SqlSession session(address());
  proxy_.lose_request("COMMIT");
  session.exec("BEGIN; INSERT INTO t VALUES ('a')");
  EXPECT_THROW(session.exec("COMMIT"), SqlError);
  EXPECT_TRUE(proxy_.wait_fault());
  EXPECT_EQ(words(), SqlRows{});
}

TEST_F(Proxied, DelaysACommitBeyondTheClientsEnd) {
  SqlSession session(address());
  proxy_.delay_request("COMMIT");
  session.exec("BEGIN; INSERT INTO t VALUES ('a'); SELECT pg_advisory_xact_lock(1)");
  EXPECT_THROW(session.exec("COMMIT"), SqlError);
  EXPECT_TRUE(proxy_.wait_fault());
  EXPECT_EQ(words(), SqlRows{});
  EXPECT_EQ(database_.sql("SELECT pg_try_advisory_xact_lock(1)"), (SqlRows{{"f"}}));
  EXPECT_TRUE(proxy_.deliver());
  EXPECT_EQ(words(), (SqlRows{{"a"}}));
}

}  // namespace
}  // namespace vtx::test
