/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx groups`: what a person sees of groups, and how one is moved and ended.
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

using nlohmann::json;

class GroupsTest : public CliTest {
 protected:
  json ask(Strings arguments) const {
    arguments.emplace_back("--json");
    const Outcome answer = run(arguments);
    EXPECT_EQ(answer.code, 0) << answer.err;
    return answer.code == 0 ? json::parse(answer.out) : json();
  }
  json group(const std::string& name) const {
    const json answer = ask({"groups", "list", uri()});
    for (const json& one : answer.at("groups"))
      if (one.at("name") == name) return one;
    return nullptr;
  }
};

TEST_F(GroupsTest, ListTellsHowFarEachIs) {
  send("1\n2\n3\n");
  EXPECT_EQ(receive({"-n", "2"}), "1\n2\n");
  EXPECT_EQ(receive({}, "&group=audit"), "1\n2\n3\n");
  EXPECT_EQ(group("default").at("position"), 3);
  EXPECT_EQ(group("default").at("depth"), 1);
  EXPECT_EQ(group("default").at("oldest").get<std::string>().size(), 24U);
  EXPECT_EQ(group("audit").at("position"), 4);
  EXPECT_EQ(group("audit").at("oldest"), "");
  const Outcome table = run({"groups", "list", uri()});
  EXPECT_EQ(table.code, 0);
  EXPECT_EQ(whole_lines(table.out).size(), 3U) << table.out;
}

TEST_F(GroupsTest, SeekGoesBackAndForth) {
  send("1\n2\n3\n4\n");
  EXPECT_EQ(run({"send", uri("&retain=forever"), "--bind"}, file("5\n")).code, 0);
  EXPECT_EQ(receive(), "1\n2\n3\n4\n5\n");
  const Outcome back = run({"groups", "seek", uri(), "default", "--to", "seq:4"});
  EXPECT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(back.err, "vtx groups: group default goes on at message 4; 0 messages passed over\n");
  EXPECT_EQ(receive(), "4\n5\n");
  EXPECT_EQ(ask({"groups", "seek", uri(), "default", "--to", "-1h"}).at("position"), 1);
  EXPECT_EQ(ask({"groups", "seek", uri(), "default", "--to", "now"}),
            json({{"count", 5}, {"position", 6}, {"head", 5}}));
  EXPECT_EQ(receive(), "");
}

TEST_F(GroupsTest, DropEndsAGroupThatNobodyUses) {
  send("1\n2\n");
  EXPECT_EQ(receive({"-n", "1"}), "1\n");
  EXPECT_EQ(receive({}, "&group=audit"), "1\n2\n");
  EXPECT_EQ(ask({"groups", "drop", uri(), "audit"}), json({{"count", 0}}));
  EXPECT_EQ(group("audit"), nullptr);
  EXPECT_EQ(run({"groups", "drop", uri(), "default"}).err,
            "vtx groups: group default dropped; it had not settled 1 messages\n");
  EXPECT_EQ(ask({"groups", "list", uri()}).at("groups"), json::array());
}

TEST_F(GroupsTest, AGroupInUseIsKeptUnlessForced) {
  send(numbered_lines(30'000, 20));
  // Its output is a pipe that nobody reads, so it holds what it could not write.
  Process consumer(scratch_, {"recv", uri()}, "/dev/null", Process::Out::pipe);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (group("default").is_null() || group("default").at("claimed") == 0)
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  const Outcome kept = run({"groups", "drop", uri(), "default"});
  EXPECT_EQ(kept.code, 1);
  EXPECT_NE(kept.err.find("in use"), std::string::npos) << kept.err;
  EXPECT_EQ(run({"groups", "drop", uri(), "default", "--force"}).code, 0);
}

TEST_F(GroupsTest, MistakesAreNamed) {
  send("1\n");
  EXPECT_EQ(receive({}, "&group=audit"), "1\n");
  const Outcome slip = run({"groups", "drop", uri(), "audti"});
  EXPECT_EQ(slip.code, 1);
  EXPECT_NE(slip.err.find("no group 'audti'; is 'audit' meant?"), std::string::npos) << slip.err;
  const Outcome none = run({"groups", "seek", uri("", "none"), "audit", "--to", "now"});
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("no queue"), std::string::npos) << none.err;
  EXPECT_EQ(run({"groups", "seek", uri(), "audit", "--to", "yesterday"}).code, 2);
  EXPECT_EQ(run({"groups", "seek", uri(), "audit"}).code, 2);
  EXPECT_EQ(run({"groups"}).code, 2);
  EXPECT_NE(group("audit"), nullptr);
}

}  // namespace
}  // namespace vtx::test
