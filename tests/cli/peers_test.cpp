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

TEST_F(CliTest, APairHasTwoSides) {
  EXPECT_EQ(run({"send", uri("", "two"), "--type", "pair"}, file("one\ntwo\n")).code, 0);
  const Outcome got = run({"recv", uri("", "two"), "--type", "pair", "--bind", "-n", "2"});
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_EQ(got.out, "one\ntwo\n");
}

}  // namespace
}  // namespace vtx::test
