/* SPDX-License-Identifier: MPL-2.0 */
//
// An earlier backup restored under commands at work, each a process of its own.
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

}  // namespace
}  // namespace vtx::test
