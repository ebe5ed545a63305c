/* SPDX-License-Identifier: MPL-2.0 */
//
// An earlier backup restored under commands at work, each a process of its own.
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>

#include "cli_test.hpp"
#include "contract/sqlite_backup.hpp"

namespace vtx::test {
namespace {

TEST_F(CliTest, ReceiversAndReadersGoOnInARestoredStore) {
  // Else what the receiver has settled may go before the reader has seen it.
  ASSERT_EQ(run({"send", uri("&retain=forever")}, file("1\n2\n")).code, 0);
  Process receiver(scratch_, {"recv", uri()}, "/dev/null", Process::Out::pipe);
  Process reader(scratch_, {"tail", uri()}, "/dev/null", Process::Out::pipe);
  EXPECT_EQ(receiver.read_out(4), "1\n2\n");
  EXPECT_EQ(reader.read_out(4), "1\n2\n");
  const auto restore = back_up_database(database().string());
  send("3\n4\n");
  EXPECT_EQ(receiver.read_out(4), "3\n4\n");
  EXPECT_EQ(reader.read_out(4), "3\n4\n");
  restore();
  send("new\n");
  // What the backup had not settled comes again before it.
  std::string rest;
  for (std::string more = receiver.read_out(1); !more.empty(); more = receiver.read_out(1)) {
    rest += more;
    if (rest.ends_with("new\n")) break;
  }
  EXPECT_TRUE(rest.ends_with("new\n")) << rest;
  EXPECT_EQ(reader.read_out(4), "new\n");
  receiver.signal(SIGINT);
  reader.signal(SIGINT);
  EXPECT_NE(receiver.wait().err.find("went back in time"), std::string::npos);
  EXPECT_NE(reader.wait().err.find("went back in time"), std::string::npos);
  const auto checked = nlohmann::json::parse(run({"check", uri(), "--json"}).out);
  for (const auto& finding : checked.at("findings")) {
    if (finding.at("subject") == "epoch") {
      EXPECT_EQ(finding.at("text"), "2");
    }
  }
}

TEST_F(CliTest, ASenderWhoseStoreWasRestoredDoesNotSayThatAllIsDurable) {
  const auto held = [this](int count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < deadline) {
      const Outcome shown = run({"show", uri(), "--json"});
      if (shown.code == 0 && nlohmann::json::parse(shown.out).at("messages") == count) return true;
    }
    return false;
  };
  send("1\n");
  Process sender(scratch_, {"send", uri()}, "", Process::Out::file, Process::In::pipe);
  const auto restore = back_up_database(database().string());
  sender.write_in("2\n");
  ASSERT_TRUE(held(2));
  restore();
  sender.write_in("3\n");
  ASSERT_TRUE(held(2));
  sender.close_in();
  const Outcome sent = sender.wait();
  EXPECT_EQ(sent.code, 1);
  EXPECT_NE(sent.err.find("2 messages sent; the store went back in time meanwhile"), std::string::npos) << sent.err;
  EXPECT_EQ(sent.err.find("all durable"), std::string::npos) << sent.err;
  EXPECT_EQ(receive(), "1\n3\n");
  // One that was restored before it was opened is no reason to doubt what is sent from then on.
  restore();
  const Outcome after = run({"send", uri()}, file("4\n"));
  EXPECT_EQ(after.code, 0) << after.err;
  EXPECT_NE(after.err.find("went back in time"), std::string::npos) << after.err;
  EXPECT_NE(after.err.find("1 messages sent, all durable"), std::string::npos) << after.err;
}

TEST_F(CliTest, ASenderThatComesBeforeItsRestoredStoreSaysThatAllIsDurable) {
  send("1\n");
  const auto restore = back_up_database(database().string());
  send("2\n");
  restore();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(database().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  Process sender(scratch_, {"send", uri()}, file("3\n"));
  sqlite3_sleep(2500);  // longer than vtx_connect waits
  ASSERT_EQ(sqlite3_close(other), SQLITE_OK);
  const Outcome sent = sender.wait();
  EXPECT_EQ(sent.code, 0) << sent.err;
  EXPECT_NE(sent.err.find("went back in time"), std::string::npos) << sent.err;
  EXPECT_NE(sent.err.find("1 messages sent, all durable"), std::string::npos) << sent.err;
}

TEST_F(CliTest, AnAskerWhoseStoreWasRestoredDoesNotSayThatAllIsWell) {
  send("1\n");
  Process worker(scratch_, {"recv", uri(), "--type", "rep", "--reply", "done"});
  Process asker(scratch_, {"send", uri(), "--type", "req"}, "", Process::Out::pipe, Process::In::pipe);
  asker.write_in("a\n");
  EXPECT_EQ(asker.read_out(5), "done\n");
  const auto restore = back_up_database(database().string());
  asker.write_in("b\n");
  EXPECT_EQ(asker.read_out(5), "done\n");
  restore();
  asker.write_in("c\n");
  EXPECT_EQ(asker.read_out(5), "done\n");
  asker.close_in();
  const Outcome asked = asker.wait();
  EXPECT_EQ(asked.code, 1);
  EXPECT_NE(asked.err.find("3 requests answered; the store went back in time meanwhile"), std::string::npos)
      << asked.err;
  worker.signal(SIGINT);
  worker.wait();
}

}  // namespace
}  // namespace vtx::test
