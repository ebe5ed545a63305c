/* SPDX-License-Identifier: MPL-2.0 */
//
// The commands that look at and steer a store, for people and as JSON, and what goes to which stream.
#include <sqlite3.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

using nlohmann::json;

class AdminTest : public CliTest {
 protected:
  /// The JSON that a command prints.
  json ask(Strings arguments) const {
    arguments.emplace_back("--json");
    const Outcome answer = run(arguments);
    EXPECT_EQ(answer.code, 0) << answer.err;
    EXPECT_EQ(answer.err, "");
    return json::parse(answer.out);
  }

  /// Leaves one message in the dead-letter queue: refused once where one delivery is allowed.
  void make_dead_letter() const {
    send(framed({"un\nfit"}), "frames");
    EXPECT_EQ(run({"recv", uri("&max_deliveries=1")}).code, 1);
    EXPECT_EQ(receive({}, "&max_deliveries=1"), "");
  }
};

TEST_F(AdminTest, QueuesAndShowTellTheSame) {
  send("1\n2\n3\n");
  EXPECT_EQ(run({"recv", uri(), "-n", "1"}).out, "1\n");
  const json queue = ask({"show", uri()});
  EXPECT_EQ(queue.at("name"), "jobs");
  EXPECT_EQ(queue.at("groups").at(0).at("name"), "default");
  EXPECT_EQ(queue.at("groups").at(0).at("depth"), 2);
  EXPECT_EQ(queue.at("groups").at(0).at("claimed"), 0);
  EXPECT_EQ(ask({"queues", uri()}).at("queues").at(0), queue);
  const Outcome table = run({"queues", uri()});
  EXPECT_EQ(table.code, 0);
  EXPECT_EQ(whole_lines(table.out).size(), 2U) << table.out;
  EXPECT_EQ(table.out.substr(0, 5), "QUEUE");
}

TEST_F(AdminTest, ShowNamesSubscriptionsAndWhatWasTrimmed) {
  ASSERT_EQ(run({"send", uri("&retain=100"), "--type", "pub"}, file("first\n")).code, 0);
  EXPECT_EQ(run({"recv", uri("&subscription=desk&from=oldest"), "--type", "sub", "-n", "1", "--subscribe", "f",
                 "--subscribe", "usd."})
                .out,
            "first\n");
  EXPECT_NE(run({"show", uri()}).out.find("f, usd."), std::string::npos) << run({"show", uri()}).out;
  // Retention works in the background of those that have the queue open.
  Process open(scratch_, {"tail", uri(), "-n", "0"});
  ASSERT_EQ(run({"send", uri(), "--type", "pub"}, file(numbered_lines(5000))).code, 0);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  json group;
  do group = ask({"show", uri()}).at("groups").at(0);
  while (group.at("trimmed") < 4900 && std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(group.at("trimmed"), 4900);
  EXPECT_EQ(group.at("subscriptions"), json::parse(R"(["f", "usd."])"));
  for (const std::string command : {"show", "queues"}) {
    const std::string table = run({command, uri()}).out;
    EXPECT_NE(table.find("TRIMMED"), std::string::npos) << table;
    EXPECT_NE(table.find("4,900"), std::string::npos) << table;
  }
}

TEST_F(AdminTest, AQueueThatIsNotThereIsNamed) {
  send("1\n");
  const Outcome answer = run({"show", uri("", "none")});
  EXPECT_EQ(answer.code, 1);
  EXPECT_NE(answer.err.find("none"), std::string::npos) << answer.err;
}

TEST_F(AdminTest, DeadLettersAreListedRequeuedAndDropped) {
  make_dead_letter();
  const json list = ask({"dead", "list", uri()});
  ASSERT_EQ(list.at("messages").size(), 1U);
  const json letter = list.at("messages").at(0);
  EXPECT_EQ(letter.at("group"), "default");
  EXPECT_EQ(letter.at("deliveries"), 1);
  EXPECT_EQ(letter.at("preview"), "un.fit");
  const std::string sequence = letter.at("sequence").dump();
  EXPECT_NE(run({"dead", "list", uri()}).out.find("un.fit"), std::string::npos);

  EXPECT_EQ(run({"dead", "requeue", uri(), sequence}).err, "vtx dead: 1 messages requeued\n");
  EXPECT_EQ(receive({"--format", "frames"}, "&max_deliveries=1"), framed({"un\nfit"}));
  EXPECT_EQ(run({"dead", "requeue", uri(), sequence}).code, 1);

  make_dead_letter();
  EXPECT_EQ(run({"dead", "drop", uri(), "--all"}).err, "vtx dead: 1 messages dropped\n");
  EXPECT_TRUE(ask({"dead", "list", uri()}).at("messages").empty());
}

TEST_F(AdminTest, TrimRemovesTheOldestAndCountsWhatAGroupLost) {
  send(numbered_lines(20));
  EXPECT_EQ(run({"recv", uri(), "-n", "2"}).out, "1\n2\n");
  EXPECT_EQ(run({"trim", uri(), "--before", "-1h"}).err, "vtx trim: 0 messages removed\n");
  EXPECT_EQ(ask({"trim", uri(), "--before", "seq:6"}), json({{"count", 5}}));
  const Outcome kept = run({"trim", uri(), "--keep", "3"});
  EXPECT_EQ(kept.code, 0);
  EXPECT_EQ(kept.err, "vtx trim: 12 messages removed\n");
  const json queue = ask({"show", uri()});
  EXPECT_EQ(queue.at("groups").at(0).at("trimmed"), 15);  // 3 to 17
  EXPECT_EQ(queue.at("counters").at("trimmed"), 15);
  EXPECT_EQ(queue.at("tail"), 18);
  EXPECT_EQ(receive(), "18\n19\n20\n");
}

TEST_F(AdminTest, TrimTakesAsManyStepsAsItNeeds) {
  send(numbered_lines(30'000));
  EXPECT_EQ(ask({"trim", uri(), "--keep", "0"}), json({{"count", 30'000}}));
  EXPECT_EQ(ask({"show", uri()}).at("messages"), 0);
}

TEST_F(AdminTest, CheckAndMigrateReportFindings) {
  send("1\n");
  for (const std::string command : {"check", "migrate"}) {
    const json answer = ask({command, uri()});
    for (const json& finding : answer.at("findings")) EXPECT_NE(finding.at("level"), "error") << finding;
    EXPECT_EQ(run({command, uri()}).code, 0);
  }
}

/// The findings of `vtx check` on a subject that are not ok.
Strings complaints(const json& answer, const std::string& subject) {
  Strings found;
  for (const json& finding : answer.at("findings"))
    if (finding.at("subject") == subject && finding.at("level") != "ok") {
      found.push_back(finding.at("text").get<std::string>());
      EXPECT_NE(finding.at("remedy"), "") << finding;
    }
  return found;
}

TEST_F(AdminTest, CheckNamesGroupsThatHoldBackRetention) {
  send("1\n2\n3\n");
  EXPECT_EQ(run({"recv", uri("&group=audit"), "-n", "1"}).out, "1\n");
  EXPECT_EQ(receive(), "1\n2\n3\n");
  EXPECT_EQ(complaints(ask({"check", uri()}), "retention"), Strings());  // not for long
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(database().c_str(), &connection), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(connection, "UPDATE vtx_message SET stored = stored - 86400000", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(connection);
  const Strings found = complaints(ask({"check", uri()}), "retention");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].starts_with("group 'audit' of queue 'jobs' holds back 2 messages, 0 of them")) << found[0];
  EXPECT_NE(run({"check", uri()}).out.find("vtx groups drop"), std::string::npos);
  EXPECT_EQ(run({"check", uri()}).code, 0);  // warnings are no errors
}

TEST_F(AdminTest, CheckNamesDeadLetters) {
  make_dead_letter();
  EXPECT_EQ(complaints(ask({"check", uri()}), "dead letters"), Strings{"1 of queue 'jobs'"});
}

TEST_F(AdminTest, CheckExitsWithOneForAnError) {
  send(numbered_lines(500, 3000));
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(database().c_str(), &connection), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(connection, "PRAGMA wal_checkpoint(TRUNCATE)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(connection);
  {
    std::fstream damage(database(), std::ios::in | std::ios::out | std::ios::binary);
    damage.seekp(-4096, std::ios::end) << std::string(4096, 'Z');
  }
  const Outcome checked = run({"check", uri(), "--json"});
  EXPECT_EQ(checked.code, 1);
  EXPECT_EQ(complaints(json::parse(checked.out), "integrity").size(), 1U);
}

TEST_F(AdminTest, VersionNamesBothLibraries) {
  const json version = ask({"version"});
  EXPECT_FALSE(version.at("vtx").get<std::string>().empty());
  EXPECT_FALSE(version.at("zeromq").get<std::string>().empty());
}

TEST_F(AdminTest, BenchMeasuresOnAQueueOfItsOwn) {
  const json result = ask({"bench", "sqlite:" + database().string(), "--messages", "2000"});
  EXPECT_GT(result.at("send").at("messages_per_second"), 0);
  EXPECT_GE(result.at("send").at("messages_per_commit"), 1);
  EXPECT_GT(result.at("recv").at("messages_per_second"), 0);
  EXPECT_GE(result.at("recv").at("messages_per_claim"), 1);
  EXPECT_LE(result.at("latency").at("p50_seconds"), result.at("latency").at("p99_seconds"));
  const json answer = ask({"queues", uri()});
  for (const json& queue : answer.at("queues")) EXPECT_EQ(queue.at("groups").at(0).at("depth"), 0);
}

TEST_F(AdminTest, BenchDoesNotEatRealMessages) {
  send("precious\n");
  const Outcome refused = run({"bench", uri(), "--messages", "10"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("holds messages"), std::string::npos) << refused.err;
  EXPECT_EQ(receive(), "precious\n");
}

TEST_F(AdminTest, NoProgressWhereThereIsNoTerminal) {
  Process receiver(scratch_, {"recv", uri(), "--idle", "2500ms"});
  EXPECT_EQ(receiver.wait().err, "");
  Process sender(scratch_, {"send", uri()}, "/dev/null", Process::Out::file, Process::In::pipe);
  sender.write_in("1\n");
  EXPECT_EQ(run({"recv", uri(), "-n", "1"}).out, "1\n");
  sender.close_in();
  EXPECT_EQ(sender.wait().err, "vtx send: 1 messages sent, all durable\n");
}

}  // namespace
}  // namespace vtx::test
