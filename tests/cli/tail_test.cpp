/* SPDX-License-Identifier: MPL-2.0 */
//
// `tail` and `peek`: they show what lies in a queue, and leave it as it was.
#include <signal.h>

#include <nlohmann/json.hpp>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

using nlohmann::json;

class TailTest : public CliTest {
 protected:
  void publish(const std::string& content) const {
    const Outcome sent = run({"send", uri(), "--type", "pub"}, file(content));
    EXPECT_EQ(sent.code, 0) << sent.err;
  }
  /// What a command that ends by itself shows.
  std::string look(const std::string& command, const Strings& more = {}, const std::string& queue = "jobs") const {
    Strings arguments{command, uri("", queue)};
    if (command == "tail") arguments.emplace_back("--no-follow");
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome shown = run(arguments);
    EXPECT_EQ(shown.code, 0) << shown.err;
    EXPECT_EQ(shown.err, "");
    return shown.out;
  }
  json show() const { return json::parse(run({"show", uri(), "--json"}).out); }
};

TEST_F(TailTest, ShowsTheFirstAndTheLast) {
  publish(numbered_lines(5000));
  EXPECT_EQ(look("peek"), numbered_lines(10));
  EXPECT_EQ(look("peek", {"-n", "3"}), "1\n2\n3\n");
  EXPECT_EQ(look("peek", {"-n", "2", "--from", "seq:4999"}), "4999\n5000\n");
  EXPECT_EQ(look("peek", {"--from", "seq:4999"}), "4999\n5000\n");
  EXPECT_EQ(look("peek", {"-n", "2", "--from", "-15m"}), "1\n2\n");
  EXPECT_EQ(look("peek", {"--from", "now"}), "");
  EXPECT_EQ(look("tail", {"-n", "2"}), "4999\n5000\n");
  EXPECT_EQ(whole_lines(look("tail")).size(), 10U);
  EXPECT_EQ(look("tail", {"-n", "0"}), "");
  EXPECT_TRUE(look("tail", {"-n", "1000000"}) == numbered_lines(5000));
}

TEST_F(TailTest, FiltersByPrefix) {
  publish("a.1\n" + numbered_lines(3000) + "a.2\n" + numbered_lines(300));
  EXPECT_EQ(look("tail", {"-n", "2", "--subscribe", "a."}), "a.1\na.2\n");
  EXPECT_EQ(look("tail", {"-n", "1", "--subscribe", "a."}), "a.2\n");
  EXPECT_EQ(look("tail", {"-n", "5", "--subscribe", "none"}), "");
  EXPECT_EQ(look("peek", {"--subscribe", "a."}), "a.1\na.2\n");
}

TEST_F(TailTest, GoesOnWithWhatComesWithoutGapOrRepeat) {
  publish("a.1\nb.1\na.2\nb.2\n");
  Process tail(scratch_, {"tail", uri(), "-n", "1", "--subscribe", "a."}, "/dev/null", Process::Out::pipe);
  EXPECT_EQ(tail.read_out(4), "a.2\n");
  std::string expected;
  for (const std::string part : {"b.3\n", "a.3\n", "a.4\n", "b.5\n", "a.6\n"}) {
    publish(part);
    if (part[0] == 'a') expected += part;
  }
  EXPECT_EQ(tail.read_out(expected.size()), expected);
  tail.signal(SIGTERM);
  const Outcome ended = tail.wait();
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.err, "");
}

TEST_F(TailTest, FollowsWhileMuchIsPublished) {
  publish("a.first\nb.first\n");  // the end of what is there is not for us
  std::string wanted;
  std::string all;
  for (int i = 0; i < 20'000; ++i) {
    const std::string line = (i % 2 == 0 ? "a." : "b.") + std::to_string(i) + "\n";
    all += line;
    if (i % 2 == 0) wanted += line;
  }
  Process publisher(scratch_, {"send", uri(), "--type", "pub"}, file(all, "many"));
  Process tail(scratch_, {"tail", uri(), "-n", "1000000", "--subscribe", "a."}, "/dev/null", Process::Out::pipe);
  const std::string expected = "a.first\n" + wanted;
  EXPECT_TRUE(tail.read_out(expected.size()) == expected);
  EXPECT_EQ(publisher.wait().code, 0);
}

TEST_F(TailTest, PeekTakesNothingFromAWorkQueue) {
  send("1\n2\n3\n");
  EXPECT_EQ(look("peek", {"-n", "2"}), "1\n2\n");
  EXPECT_EQ(look("tail", {"-n", "2"}), "2\n3\n");
  EXPECT_EQ(show().at("messages"), 3);
  EXPECT_TRUE(show().at("groups").empty()) << show();
  const Outcome received = run({"recv", uri(), "--format", "json", "-n", "3"});
  for (const auto& line : whole_lines(received.out))
    EXPECT_EQ(json::parse(line).at("properties").at("Deliveries"), "1");
}

TEST_F(TailTest, EveryStreamOfAQueueCanBeLookedAt) {
  const auto write = [&](const Strings& arguments, const std::string& text) {
    Strings command{"send", uri("", "both"), "--type", "pair"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    EXPECT_EQ(run(command, file(text)).code, 0);
  };
  write({}, "up 1\nup 2\n");
  write({"--bind"}, "down 1\n");
  for (const std::string verb : {"peek", "replay"}) {
    EXPECT_EQ(run({verb, uri("&log=up", "both")}).out, "up 1\nup 2\n") << verb;
    EXPECT_EQ(run({verb, uri("&log=down", "both")}).out, "down 1\n") << verb;
    EXPECT_EQ(run({verb, uri("", "both")}).out, "") << verb;
  }
  EXPECT_EQ(run({"tail", uri("&log=up", "both"), "--no-follow", "-n", "1"}).out, "up 2\n");
  EXPECT_NE(run({"peek", uri("&log=peer:nobody", "both")}).code, 0);
}

TEST_F(TailTest, PeekShowsDeadLetters) {
  send(framed({"un\nfit"}), "frames");
  EXPECT_EQ(run({"recv", uri("&max_deliveries=1")}).code, 1);
  EXPECT_EQ(receive({}, "&max_deliveries=1"), "");
  const json letter = json::parse(look("peek", {"--format", "json"}, "jobs.dead"));
  EXPECT_EQ(letter.at("frames"), json::array({"un\nfit"}));
  EXPECT_EQ(letter.at("properties").at("Dead-Group"), "default");
  EXPECT_EQ(show().at("dead"), 1);
}

TEST_F(TailTest, HeadersStandAheadOfTheLine) {
  publish("one\ntwo words\n");
  const auto lines = whole_lines(look("peek", {"--headers"}));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1].substr(0, 4), "2 20") << lines[1];
  EXPECT_EQ(lines[1].substr(26), " two words") << lines[1];
  EXPECT_EQ(lines[1][25], 'Z') << lines[1];
  const Outcome refused = run({"peek", uri(), "--headers", "--format", "frames"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("--format lines"), std::string::npos) << refused.err;
}

TEST_F(TailTest, FormatsAreThoseOfRecv) {
  send(framed({"a", "b\n"}) + framed({"c"}), "frames");
  EXPECT_EQ(look("peek", {"--format", "frames"}), framed({"a", "b\n"}) + framed({"c"}));
  EXPECT_EQ(look("tail", {"--format", "frames", "-n", "1"}), framed({"c"}));
  const Outcome refused = run({"peek", uri()});
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("message 1 has several frames"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--format frames or json"), std::string::npos) << refused.err;
}

TEST_F(TailTest, LooksOnly) {
  for (const std::string command : {"tail", "peek"}) {
    EXPECT_EQ(run({command, uri()}).code, 1);
    EXPECT_FALSE(std::filesystem::exists(database()));
  }
  publish("1\n");
  for (const std::string command : {"tail", "peek"}) {
    const Outcome missing = run({command, uri("", "none")});
    EXPECT_EQ(missing.code, 1);
    EXPECT_NE(missing.err.find("none"), std::string::npos) << missing.err;
    const Outcome taking = run({command, uri("&subscription=s")});
    EXPECT_EQ(taking.code, 2);
    EXPECT_NE(taking.err.find("leave subscription= out"), std::string::npos) << taking.err;
  }
  EXPECT_EQ(json::parse(run({"queues", uri(), "--json"}).out).at("queues").size(), 1U);
}

}  // namespace
}  // namespace vtx::test
