/* SPDX-License-Identifier: MPL-2.0 */
//
// Bad input: each gives the right exit code and a sentence that names the remedy, and nothing sent before is lost.
#include <sqlite3.h>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

/// Expects `code` and every one of `words` on standard error.
void expect_refusal(const Outcome& outcome, int code, const Strings& words) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  for (const auto& word : words) EXPECT_NE(outcome.err.find(word), std::string::npos) << word << " in: " << outcome.err;
}

TEST_F(CliTest, WrongUsageIsTwo) {
  expect_refusal(run({}), 2, {"--help"});
  expect_refusal(run({"sned", uri()}), 2, {"no command 'sned'", "--help"});
  expect_refusal(run({"send"}), 2, {"URI"});
  expect_refusal(run({"send", uri(), "--format", "xml"}), 2, {"lines", "frames"});
  expect_refusal(run({"send", uri(), "--type", "stream"}), 2, {"not for this command", "push or pub or req"});
  expect_refusal(run({"recv", uri(), "--type", "quark"}), 2, {"no socket type 'quark'", "pull"});
  expect_refusal(run({"recv", uri(), "--idle", "soon"}), 2, {"'soon' is no time", "2s"});
  expect_refusal(run({"recv", uri(), "-n", "0"}), 2, {"-n", "'0' is no count"});
  expect_refusal(run({"tail", uri(), "-n", "-1"}), 2, {"-n", "'-1' is no count; write 0 or more"});
  expect_refusal(run({"tail", uri(), "-n", "18446744073709551616"}), 2,
                 {"-n", "'18446744073709551616' is too large; write at most 18446744073709551615"});
  expect_refusal(run({"bench", uri(), "--size", "x"}), 2, {"--size: 'x' is no count; write 0 or more"});
  expect_refusal(run({"dead", "drop", uri(), "--", "-1"}), 2, {"'-1' is no count; write 1 or more"});
  expect_refusal(run({"dead", "list", uri("", "jobs.dead")}), 2, {"name the queue in which they died, 'jobs'"});
  EXPECT_EQ(run({"--version"}).out, run({"version"}).out);
  expect_refusal(run({"send", uri(), "--bind", "--connect"}), 2, {"--bind"});
  expect_refusal(run({"dead", "drop", uri()}), 2, {"--all"});
  expect_refusal(run({"dead", "drop", uri(), "1", "--all"}), 2, {"--all"});
}

TEST_F(CliTest, TrimNeedsToBeToldHowFar) {
  send("1\n2\n");
  expect_refusal(run({"trim", uri()}), 2, {"--before", "--keep"});
  expect_refusal(run({"trim", uri(), "--before", "now", "--keep", "1"}), 2, {"--before", "--keep"});
  expect_refusal(run({"trim", uri(), "--before", ""}), 2, {"before WHERE"});
  expect_refusal(run({"trim", uri(), "--before", "yesterday"}), 2, {"'yesterday'", "seq:N"});
  expect_refusal(run({"trim", uri(), "--keep", "-1"}), 2, {"'-1' is not a count"});
  expect_refusal(run({"trim", uri("", "jobs.dead"), "--keep", "1"}), 2, {"dead drop"});
  expect_refusal(run({"trim", uri("", "none"), "--keep", "0"}), 1, {"no queue none"});
  EXPECT_EQ(receive(), "1\n2\n");
  expect_refusal(run({"trim", "sqlite:" + (scratch_ / "other.db").string(), "--keep", "0"}), 1, {"no such database"});
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "other.db"));
}

TEST_F(CliTest, WrongEndpointsAreWrongUsage) {
  expect_refusal(run({"send", "sqllite:q.db"}), 2, {"sqllite"});
  expect_refusal(run({"send", uri("&durabillity=sync")}), 2, {"durabillity", "durability"});
  expect_refusal(run({"send", uri("", "a%0Ab")}), 2, {"queue"});
  expect_refusal(run({"recv", uri("&lease=fast")}), 2, {"lease"});
  EXPECT_FALSE(std::filesystem::exists(database()));
}

TEST_F(CliTest, NoErrorShowsAPassword) {
  const Strings endpoints{"nothing://me:se/cr@et@host/db?queue=a", "sqlite://me:secret@host/q.db?queue=a",
                          "sqlite:" + (scratch_ / "none").string() + "/q.db?password=secret",
                          "nothing://host/db?sslpassword=secret&queue=a"};
  for (const auto& endpoint : endpoints) {
    for (const char* command : {"show", "send", "recv"}) {
      const Outcome outcome = run({command, endpoint});
      EXPECT_NE(outcome.code, 0) << endpoint;
      EXPECT_FALSE(outcome.err.empty()) << endpoint;
      for (const char* part : {"secret", "cr@et", "se/cr"})
        EXPECT_EQ(outcome.err.find(part), std::string::npos) << outcome.err;
    }
  }
}

TEST_F(CliTest, TransportsThatCannotServeAreRefused) {
  expect_refusal(run({"send", "inproc://x"}, file("1\n")), 2,
                 {"inproc://x: inproc joins sockets of one process", "ipc"});
  expect_refusal(run({"recv", "INPROC://x"}), 2, {"use ipc or tcp"});
  for (const std::string command : {"queues", "show", "tail"})
    expect_refusal(run({command, "tcp://127.0.0.1:5555"}), 2,
                   {"'tcp://127.0.0.1:5555': tcp is a transport", "name the endpoint of a store"});
}

TEST_F(CliTest, FilesThatAreNoStoreAreRefused) {
  expect_refusal(run({"send", "sqlite:" + scratch_.string()}), 2, {scratch_.string(), "director"});
  expect_refusal(run({"send", "sqlite::memory:"}), 2, {"sqlite::memory:: a database in memory", "name a file"});
  expect_refusal(run({"send", "sqlite://:memory:"}), 2, {"sqlite://:memory:: a database in memory", "name a file"});
  expect_refusal(run({"send", "sqlite:/dev/null"}), 2, {"/dev/null is no regular file", "name another"});
  const auto text =
      file("This is a text file, and long enough to be taken for a database by its size alone.\n", "text");
  expect_refusal(run({"send", "sqlite:" + text.string()}), 1, {text.string(), "database"});
  EXPECT_EQ(read_file(text).substr(0, 14), "This is a text");
  expect_refusal(run({"send", "sqlite:" + (scratch_ / "none" / "q.db").string()}), 1, {"none"});
}

TEST_F(CliTest, AReadOnlyStoreIsRefusedAndKeepsItsMessages) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write to every file";
  send("1\n");
  std::filesystem::permissions(database(), std::filesystem::perms::owner_read);
  expect_refusal(run({"send", uri()}, file("2\n")), 1, {database().string()});
  std::filesystem::permissions(database(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(receive(), "1\n");
}

void execute(const std::filesystem::path& path, const char* sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  sqlite3_close(database);
}

TEST_F(CliTest, MigrateMakesTheTablesInAnApplicationsDatabase) {
  execute(database(), "CREATE TABLE orders (n)");
  expect_refusal(run({"queues", uri()}), 1, {"has no VTX tables yet", "vtx migrate"});
  EXPECT_EQ(run({"migrate", uri()}).code, 0);
  EXPECT_EQ(run({"queues", uri()}).code, 0);
}

TEST_F(CliTest, ANewerSchemaIsRefusedAndKeepsItsMessages) {
  send("1\n");
  execute(database(),
          "CREATE TABLE kept AS SELECT * FROM vtx_store; UPDATE vtx_store SET schema = 999, oldest_library = '99.0.0'");
  expect_refusal(run({"send", uri()}, file("2\n")), 1, {"99.0.0"});
  expect_refusal(run({"recv", uri(), "--idle", "1s"}), 1, {"99.0.0"});
  execute(database(),
          "UPDATE vtx_store SET (schema, oldest_library) = (SELECT schema, oldest_library FROM kept); DROP TABLE kept");
  EXPECT_EQ(receive(), "1\n");
}

TEST_F(CliTest, AFileThatCannotBeReadSendsNothing) {
  expect_refusal(run({"send", uri(), file("1\n"), scratch_ / "missing"}), 1, {"missing"});
  expect_refusal(run({"send", uri(), scratch_}), 1, {"is a directory"});
  EXPECT_EQ(receive(), "");
}

TEST_F(CliTest, LookingAtAStoreCreatesNothing) {
  for (const Strings& command : std::vector<Strings>{{"queues"}, {"show"}, {"check"}, {"dead", "list"}}) {
    Strings arguments = command;
    arguments.push_back(uri());
    EXPECT_EQ(run(arguments).code, 1) << command[0];
    EXPECT_FALSE(std::filesystem::exists(database())) << command[0];
  }
}

TEST_F(CliTest, EveryHelpHasAnExample) {
  const std::vector<Strings> commands = {
      {"replay"},       {"tail"},    {"peek"},  {"send"},  {"recv"},    {"queues"},          {"show"},        {"dead"},
      {"dead", "list"}, {"migrate"}, {"check"}, {"bench"}, {"version"}, {"dead", "requeue"}, {"dead", "drop"}};
  for (const Strings& command : commands) {
    Strings arguments = command;
    arguments.emplace_back("--help");
    const Outcome help = run(arguments);
    EXPECT_EQ(help.code, 0);
    EXPECT_NE(help.out.find("  vtx " + command[0] + " "), std::string::npos) << help.out;
  }
  EXPECT_NE(run({"recv", "--help"}).out.find("head"), std::string::npos);
}

}  // namespace
}  // namespace vtx::test
