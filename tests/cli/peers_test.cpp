/* SPDX-License-Identifier: MPL-2.0 */
//
// DEALER, ROUTER and PAIR on the command line: mail for a peer that is away.
#include "cli_test.hpp"

namespace vtx::test {
namespace {

TEST_F(CliTest, MailForAPeerWaitsInItsMailbox) {
  const Strings van{"recv", uri("", "fleet"), "--type", "dealer", "--id", "van-3", "--idle", "500ms"};
  EXPECT_EQ(run(van).code, 0);  // has attached
  const Outcome sent = run({"send", uri("", "fleet"), "--type", "router", "--format", "json"},
                           file("{\"frames\":[\"van-3\",\"come home\"]}\n"));
  EXPECT_EQ(sent.code, 0) << sent.err;
  const Outcome got = run(van);
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_EQ(got.out, "come home\n");
}

TEST_F(CliTest, ARouterSaysWhichPeerNobodyKnows) {
  const Outcome sent =
      run({"send", uri(), "--type", "router", "--format", "json"}, file("{\"frames\":[\"van-4\",\"hello\"]}\n"));
  EXPECT_EQ(sent.code, 1);
  EXPECT_NE(sent.err.find("'van-4'"), std::string::npos) << sent.err;
  const Outcome lines = run({"send", uri(), "--type", "router"}, file("hello\n"));
  EXPECT_EQ(lines.code, 2);
  EXPECT_NE(lines.err.find("--format frames or json"), std::string::npos) << lines.err;
}

TEST_F(CliTest, ARouterOnAPlainTransportSaysWhoIsNotConnected) {
  const Outcome sent = run({"send", "ipc://" + (scratch_ / "plain").string(), "--type", "router", "--format", "json"},
                           file("{\"frames\":[\"van-4\",\"hello\"]}\n"));
  EXPECT_EQ(sent.code, 1);
  EXPECT_NE(sent.err.find("'van-4', and no such peer is connected now"), std::string::npos) << sent.err;
  EXPECT_EQ(sent.err.find("queue"), std::string::npos) << sent.err;
}

TEST_F(CliTest, ARouterNeedsMoreThanThePeersName) {
  const Strings van{"recv", uri("", "fleet"), "--type", "dealer", "--id", "van-3", "--idle", "500ms"};
  EXPECT_EQ(run(van).code, 0);  // has attached
  const Strings send{"send", uri("", "fleet"), "--type", "router", "--format", "json"};
  const Outcome bare = run(send, file("{\"frames\":[\"van-3\",\"one\"]}\n{\"frames\":[\"van-3\"]}\n"));
  EXPECT_EQ(bare.code, 1);
  EXPECT_NE(bare.err.find("message 2 has one frame, which names the peer"), std::string::npos) << bare.err;
  EXPECT_EQ(run(send, file("{\"frames\":[\"van-3\",\"\"]}\n")).code, 0);
  EXPECT_EQ(run(van).out, "one\n\n");
}

TEST_F(CliTest, NobodysMailboxIsNamed) {
  send("1\n");
  const Outcome look = run({"tail", uri("&log=peer:van-9"), "--no-follow"});
  EXPECT_EQ(look.code, 1);
  EXPECT_NE(look.err.find("no peer with the routing id 'van-9' has ever attached to queue 'jobs'"), std::string::npos)
      << look.err;
}

TEST_F(CliTest, APairHasTwoSides) {
  EXPECT_EQ(run({"send", uri("", "two"), "--type", "pair"}, file("one\ntwo\n")).code, 0);
  const Outcome got = run({"recv", uri("", "two"), "--type", "pair", "--bind", "-n", "2"});
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_EQ(got.out, "one\ntwo\n");
}

}  // namespace
}  // namespace vtx::test
