/* SPDX-License-Identifier: MPL-2.0 */
//
// `send --type pub` and `recv --type sub`: a log that keeps its messages, readers that leave no trace, and subscriptions that go on where they were.
#include <signal.h>

#include <nlohmann/json.hpp>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

class PublishTest : public CliTest {
 protected:
  void publish(const std::string& content) const {
    const Outcome sent = run({"send", uri(), "--type", "pub"}, file(content));
    EXPECT_EQ(sent.code, 0) << sent.err;
  }
  Outcome subscribe(const std::string& options, const Strings& more) const {
    Strings arguments{"recv", uri(options), "--type", "sub"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
};

TEST_F(PublishTest, EveryReaderGetsTheHistoryAndNothingIsUsedUp) {
  publish("1\n2\n3\n");
  for (int reader = 0; reader < 2; ++reader) {
    const Outcome got = subscribe("&from=oldest", {"--idle", "500ms"});
    EXPECT_EQ(got.code, 0) << got.err;
    EXPECT_EQ(got.out, "1\n2\n3\n");
    EXPECT_EQ(got.err, "");
  }
  EXPECT_EQ(subscribe("", {"--idle", "500ms"}).out, "") << "a reader begins now";
}

TEST_F(PublishTest, AReaderGetsWhatIsPublishedWhileItRuns) {
  publish("old\n");
  Process reader(scratch_, {"recv", uri("&from=seq:1"), "--type", "sub"}, "/dev/null", Process::Out::pipe);
  EXPECT_EQ(reader.read_out(4), "old\n");
  publish("new\n");
  EXPECT_EQ(reader.read_out(4), "new\n");
  reader.signal(SIGTERM);
  const Outcome ended = reader.wait();
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.err, "");
}

TEST_F(PublishTest, SubscriptionsArePrefixes) {
  publish("eur.1\nusd.1\nchf.1\neur.2\n");
  EXPECT_EQ(subscribe("&from=oldest", {"--subscribe", "eur.", "--subscribe", "chf", "-n", "3"}).out,
            "eur.1\nchf.1\neur.2\n");
  EXPECT_EQ(subscribe("&from=oldest", {"--subscribe", "usd.", "--idle", "500ms"}).out, "usd.1\n");
}

TEST_F(PublishTest, ASubscriptionSettlesAndGoesOnWhereItWas) {
  publish("1\n2\n3\n");
  const std::string desk = "&subscription=desk&from=oldest";
  EXPECT_EQ(subscribe(desk, {"-n", "2"}).out, "1\n2\n");
  publish("4\n");
  EXPECT_EQ(subscribe(desk, {"--idle", "1s"}).out, "3\n4\n");
  EXPECT_EQ(subscribe(desk, {"--idle", "1s"}).out, "");
}

TEST_F(PublishTest, AKilledSubscriberLosesNothing) {
  const std::string all = numbered_lines(4000, 1000);
  publish(all);
  const std::string desk = "&subscription=desk&from=oldest&lease=500ms";
  Process killed(scratch_, {"recv", uri(desk), "--type", "sub"}, "/dev/null", Process::Out::pipe);
  std::string out = killed.read_out(all.size() / 2);
  killed.signal(SIGKILL);
  out += killed.read_out(SIZE_MAX);
  EXPECT_EQ(killed.wait().signal, SIGKILL);
  const Outcome rest = subscribe(desk, {"--idle", "2s"});
  EXPECT_EQ(rest.code, 0) << rest.err;
  Strings lines = whole_lines(out);
  for (const auto& line : whole_lines(rest.out)) lines.push_back(line);
  EXPECT_EQ(sorted_unique(lines), sorted(whole_lines(all)));
}

TEST_F(PublishTest, WhatRetentionTookAwayIsToldOnStandardError) {
  ASSERT_EQ(run({"send", uri("&retain=100"), "--type", "pub"}, file("first\n")).code, 0);
  // Nobody reads its pipe, which holds less than the ten messages that it may have in hand.
  Process slow(scratch_, {"recv", uri("&from=oldest&prefetch=10"), "--type", "sub", "-n", "50"}, "/dev/null",
               Process::Out::pipe);
  EXPECT_EQ(slow.read_out(6), "first\n");
  publish(numbered_lines(1000, 10'000));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  const auto tail = [&] { return nlohmann::json::parse(run({"show", uri(), "--json"}).out).at("tail").get<int>(); };
  while (tail() < 800 && std::chrono::steady_clock::now() < deadline) {
  }
  slow.read_out(SIZE_MAX);
  const Outcome ended = slow.wait();
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.err.find("removed by its retention"), std::string::npos) << ended.err;
}

// Fewer than the subscriber's high-water mark: what lies in the kernel of a stopped ipc reader when its peer leaves, libzmq 4.3.4 loses.
TEST_F(PublishTest, APublisherOfAPlainEndpointWaitsForItsFirstSubscriber) {
  const std::string plain = "ipc://" + (scratch_ / "plain").string();
  Process publisher(scratch_, {"send", plain, "--type", "pub", "--bind"}, file(numbered_lines(900)));
  const Outcome got = run({"recv", plain, "--type", "sub", "-n", "900"});
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_TRUE(got.out == numbered_lines(900));
  const Outcome sent = publisher.wait();
  EXPECT_EQ(sent.code, 0) << sent.err;
  EXPECT_EQ(sent.err, "vtx send: 900 messages sent\n");
}

TEST_F(PublishTest, SubscribeIsForSubscribers) {
  const Outcome refused = run({"recv", uri(), "--subscribe", "a"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("--type sub"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace vtx::test
