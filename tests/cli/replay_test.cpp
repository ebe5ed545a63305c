/* SPDX-License-Identifier: MPL-2.0 */
//
// `replay`: which part of the history comes out, where to, and in what time.
#include <signal.h>
#include <sqlite3.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

using nlohmann::json;

class ReplayTest : public CliTest {
 protected:
  void publish(const std::string& content, const std::string& options = "") const {
    const Outcome sent = run({"send", uri(options), "--type", "pub"}, file(content));
    EXPECT_EQ(sent.code, 0) << sent.err;
  }
  /// What a replay that ends by itself writes.
  std::string replay(const Strings& more = {}, const std::string& queue = "jobs") const {
    Strings arguments{"replay", uri("", queue)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome replayed = run(arguments);
    EXPECT_EQ(replayed.code, 0) << replayed.err;
    EXPECT_EQ(replayed.err, "");
    return replayed.out;
  }
  /// Rewrites history: message n was sent n hours after 2001-01-01T00:00:00Z.
  void an_hour_apart() const {
    sqlite3* store = nullptr;
    ASSERT_EQ(sqlite3_open(database().c_str(), &store), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(store, "UPDATE vtx_message SET stored = (978307200 + 3600 * seq) * 1000", nullptr, nullptr,
                           nullptr),
              SQLITE_OK)
        << sqlite3_errmsg(store);
    sqlite3_close(store);
  }
};

TEST_F(ReplayTest, WritesWhatIsThereAndLeavesItThere) {
  const std::string lines = numbered_lines(50'000);
  publish(lines);
  EXPECT_TRUE(replay() == lines);
  EXPECT_TRUE(replay() == lines);
}

TEST_F(ReplayTest, BeginsAndEndsWhereItIsTold) {
  publish(numbered_lines(10), "&retain=forever");
  an_hour_apart();
  EXPECT_EQ(replay({"--from", "seq:9"}), "9\n10\n");
  EXPECT_EQ(replay({"--until", "seq:2"}), "1\n2\n");
  EXPECT_EQ(replay({"--from", "seq:3", "--until", "seq:3"}), "3\n");
  EXPECT_EQ(replay({"--from", "now"}), "");
  const std::string four = "time:2001-01-01T04:00:00Z";
  EXPECT_EQ(replay({"--until", four}), "1\n2\n3\n");
  EXPECT_EQ(replay({"--from", four, "--until", "time:2001-01-01T06:30:00.5+01:00"}), "4\n5\n");
  EXPECT_EQ(replay({"--until", "time:2001-06-01T00:00:00Z"}), numbered_lines(10));
  EXPECT_EQ(replay({"--until", "time:2000-01-01T00:00:00Z"}), "");
}

TEST_F(ReplayTest, AnEndThatIsForOthersIsReachedAllTheSame) {
  publish("a.1\nb.1\na.2\nb.2\n");
  EXPECT_EQ(replay({"--subscribe", "a."}), "a.1\na.2\n");
  EXPECT_EQ(replay({"--subscribe", "none"}), "");
  EXPECT_EQ(replay({"--subscribe", "a.", "--until", "seq:2"}), "a.1\n");
}

TEST_F(ReplayTest, AnEmptyLogIsReplayedAtOnce) {
  publish("");
  EXPECT_EQ(replay(), "");
}

TEST_F(ReplayTest, WaitsForAnEndThatIsStillToCome) {
  publish("1\n2\n");
  Process waiting(scratch_, {"replay", uri(), "--until", "seq:3"}, "/dev/null", Process::Out::pipe);
  EXPECT_EQ(waiting.read_out(4), "1\n2\n");
  publish("3\n4\n");
  EXPECT_EQ(waiting.read_out(SIZE_MAX), "3\n");
  EXPECT_EQ(waiting.wait().code, 0);
}

TEST_F(ReplayTest, EndsWithWhatWasThereWhileMoreComes) {
  publish(numbered_lines(1000));
  const std::string all = numbered_lines(100'000).substr(numbered_lines(1000).size());
  Process publisher(scratch_, {"send", uri("&durability=async"), "--type", "pub"}, file(all, "more"));
  std::string replayed;
  do {
    replayed = replay();
    EXPECT_TRUE(numbered_lines(100'000).starts_with(replayed));
  } while (publisher.is_running());
  EXPECT_TRUE(replay() == numbered_lines(100'000));
}

TEST_F(ReplayTest, SendsToAStoreWithTheSendersProperties) {
  ASSERT_EQ(run({"send", uri(), "--type", "pub", "--format", "json"},
                file("{\"frames\": [\"a\", \"b\"], \"properties\": {\"Tag\": \"t\"}}\n{\"frames\": [\"c\"]}\n"))
                .code,
            0);
  EXPECT_EQ(replay({"--to", uri("", "copy")}), "");
  EXPECT_EQ(replay({"--format", "frames"}, "copy"), framed({"a", "b"}) + framed({"c"}));
  EXPECT_EQ(replay({"--to", uri("", "work"), "--type", "push"}), "");
  const Outcome received = run({"recv", uri("", "work"), "-n", "2", "--format", "json"});
  const auto lines = whole_lines(received.out);
  ASSERT_EQ(lines.size(), 2U) << received.err;
  EXPECT_EQ(json::parse(lines[0]).at("frames"), json::parse(R"(["a", "b"])"));
  EXPECT_EQ(json::parse(lines[0]).at("properties").at("Tag"), "t");
  EXPECT_EQ(json::parse(lines[1]).at("frames"), json::array({"c"}));
}

TEST_F(ReplayTest, SendsToAPlainEndpoint) {
  publish(numbered_lines(20'000));
  const std::string plain = "ipc://" + (scratch_ / "plain").string();
  Process publisher(scratch_, {"replay", uri(), "--to", plain, "--bind"});
  const Outcome subscribed = run({"recv", plain, "--type", "sub", "-n", "20000"});
  EXPECT_TRUE(subscribed.out == numbered_lines(20'000));
  EXPECT_EQ(publisher.wait().code, 0);
  Process pusher(scratch_, {"replay", uri(), "--to", plain, "--type", "push"});
  EXPECT_TRUE(run({"recv", plain, "-n", "20000"}).out == numbered_lines(20'000));
  EXPECT_EQ(pusher.wait().code, 0);
}

TEST_F(ReplayTest, KeepsTheIntervalsInWhichMessagesWereSent) {
  publish("1\n2\n3\n4\n", "&retain=forever");
  an_hour_apart();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(replay({"--speed", "7200"}), "1\n2\n3\n4\n");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1500));
}

TEST_F(ReplayTest, ASignalEndsItWhileItWaitsForTheNextMessage) {
  publish("1\n2\n", "&retain=forever");
  an_hour_apart();
  Process slow(scratch_, {"replay", uri(), "--speed", "original"}, "/dev/null", Process::Out::pipe);
  EXPECT_EQ(slow.read_out(2), "1\n");
  slow.signal(SIGINT);
  EXPECT_EQ(slow.read_out(SIZE_MAX), "");
  const Outcome ended = slow.wait();
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "vtx replay: stopped by a signal after 1 messages\n");
}

TEST_F(ReplayTest, ASignalEndsItWhileNobodyTakesWhatItSends) {
  publish("1\n");
  const std::string plain = "ipc://" + (scratch_ / "plain").string();
  Process lonely(scratch_, {"replay", uri(), "--to", plain, "--bind"});
  while (!std::filesystem::exists(scratch_ / "plain") && lonely.is_running()) {
  }
  lonely.signal(SIGTERM);
  const Outcome ended = lonely.wait();
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "vtx replay: stopped by a signal after 0 messages\n");
}

TEST_F(ReplayTest, WrongUsageIsTwo) {
  publish("1\n");
  for (const Strings& wrong : std::vector<Strings>{{"--until", "tomorrow"},
                                                   {"--until", "seq:x"},
                                                   {"--until", "time:noon"},
                                                   {"--speed", "fast"},
                                                   {"--speed", "0"},
                                                   {"--speed", "-1"},
                                                   {"--type", "push"},
                                                   {"--from", "someday"},
                                                   {"--to", uri("", "copy"), "--format", "json"},
                                                   {"--to", "carrier-pigeon:x"}}) {
    Strings arguments{"replay", uri()};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    const Outcome refused = run(arguments);
    EXPECT_EQ(refused.code, 2) << wrong[0] << " " << wrong[1] << ": " << refused.err;
    EXPECT_NE(refused.err, "") << wrong[1];
  }
  EXPECT_EQ(run({"replay", uri("", "none")}).code, 1);
}

}  // namespace
}  // namespace vtx::test
