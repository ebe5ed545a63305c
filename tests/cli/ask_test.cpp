/* SPDX-License-Identifier: MPL-2.0 */
//
// `send --type req` and `recv --type rep`: every request is answered to whoever asked, and none is lost with the worker that had it.
#include <signal.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

class AskTest : public CliTest {
 protected:
  /// A worker has been here: the requests are counted as its group's.
  void SetUp() override {
    CliTest::SetUp();
    EXPECT_EQ(run(working({"--idle", "1ms"})).code, 0);
  }
  Strings asking(const Strings& more = {}) const { return joined({"send", uri(), "--type", "req"}, more); }
  Strings working(const Strings& more = {}, const std::string& options = "") const {
    return joined({"recv", uri(options), "--type", "rep"}, more);
  }
  std::uint64_t depth(const std::string& group) const {
    const auto shown = nlohmann::json::parse(run({"show", uri(), "--json"}).out);
    for (const auto& one : shown.at("groups"))
      if (one.at("name") == group) return one.at("depth").get<std::uint64_t>();
    return 0;
  }

 private:
  static Strings joined(Strings first, const Strings& more) {
    first.insert(first.end(), more.begin(), more.end());
    return first;
  }
};

void expect(const Outcome& outcome, int code, const std::string& out, const std::string& err) {
  EXPECT_EQ(outcome.code, code);
  EXPECT_EQ(outcome.out, out);
  EXPECT_EQ(outcome.err, err);
}

TEST_F(AskTest, AThousandRequestsAreAnsweredInTheirOrder) {
  Process worker(scratch_, working({"--reply", "done", "-n", "1000"}));
  const Outcome asked = run(asking(), file(numbered_lines(1000)));
  EXPECT_EQ(asked.code, 0);
  EXPECT_EQ(asked.err, "vtx send: 1000 requests answered\n");
  EXPECT_EQ(whole_lines(asked.out), Strings(1000, "done"));
  expect(worker.wait(), 0, numbered_lines(1000), "");
  EXPECT_EQ(depth("up/default"), 0U);
}

TEST_F(AskTest, RequestsThatAKilledWorkerHadGoToAnother) {
  const std::string requests = numbered_lines(200);
  Process asker(scratch_, asking(), file(requests));
  Strings worked;
  for (const std::size_t bytes : {100, 200, 300}) {
    Process killed(scratch_, working({"--reply", "killed"}, "&lease=500ms"), "/dev/null", Process::Out::pipe);
    std::string out = killed.read_out(bytes);
    killed.signal(SIGKILL);
    out += killed.read_out(SIZE_MAX);
    EXPECT_EQ(killed.wait().signal, SIGKILL);
    for (const auto& line : whole_lines(out)) worked.push_back(line);
  }
  Process last(scratch_, working({"--reply", "last"}, "&lease=500ms"));
  const Outcome asked = asker.wait();
  EXPECT_EQ(asked.code, 0);
  // Before that it may have told that it noticed a death.
  EXPECT_TRUE(asked.err.ends_with("vtx send: 200 requests answered\n")) << asked.err;
  EXPECT_EQ(whole_lines(asked.out).size(), 200U) << "one reply to each, however many workers had it";
  last.signal(SIGTERM);
  const Outcome ended = last.wait();
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const auto& line : whole_lines(ended.out)) worked.push_back(line);
  EXPECT_EQ(sorted_unique(worked), sorted(whole_lines(requests)));
}

TEST_F(AskTest, WhatIsNotAnsweredInTimeStaysInTheQueue) {
  expect(run(asking({"--timeout", "300ms", "--id", "desk"}), file("1\n2\n")), 1, "",
         "vtx send: no reply came in time; 0 requests answered, one more stays in the queue\n");
  EXPECT_EQ(depth("up/default"), 1U);
  expect(run(working({"--reply", "late", "-n", "1"})), 0, "1\n", "");
  EXPECT_EQ(depth("mailbox:desk/default"), 1U) << "the mailbox of a named asker stays";
  Process worker(scratch_, working({"--reply", "now", "-n", "1"}));
  expect(run(asking({"--id", "desk"}), file("3\n")), 0, "now\n", "vtx send: 1 requests answered\n");
  expect(worker.wait(), 0, "3\n", "");
}

TEST_F(AskTest, ASignalEndsAnAskerAndLeavesItsRequest) {
  Process asker(scratch_, asking(), "/dev/null", Process::Out::pipe, Process::In::pipe);
  asker.write_in("1\n");
  Process worker(scratch_, working({"--reply", "yes", "-n", "1"}));
  EXPECT_EQ(asker.read_out(4), "yes\n");
  EXPECT_EQ(worker.wait().code, 0);
  asker.write_in("2\n");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (depth("up/default") < 1 && std::chrono::steady_clock::now() < deadline) {
  }
  asker.signal(SIGTERM);
  expect(asker.wait(), 1, "", "vtx send: stopped by a signal; 1 requests answered, one more stays in the queue\n");
}

TEST_F(AskTest, ASignalEndsAWorkerCleanlyUnlessItWasToAnswerMore) {
  for (const bool counted : {false, true}) {
    Process worker(scratch_, counted ? working({"-n", "5"}) : working(), "/dev/null", Process::Out::pipe);
    expect(run(asking(), file("x\n")), 0, "\n", "vtx send: 1 requests answered\n");
    EXPECT_EQ(worker.read_out(2), "x\n");
    worker.signal(SIGTERM);
    expect(worker.wait(), counted ? 1 : 0, "", counted ? "vtx recv: stopped by a signal after 1 of 5 requests\n" : "");
  }
}

TEST_F(AskTest, AnIdleWorkerEnds) {
  Process worker(scratch_, working({"--idle", "1s"}));
  EXPECT_EQ(run(asking(), file("1\n2\n")).code, 0);
  expect(worker.wait(), 0, "1\n2\n", "");
}

TEST_F(AskTest, FramesCarryRequestsOfAnyShape) {
  const std::string requests = framed({"a", "b"}) + framed({"", "x"}) + framed({""});
  Process worker(scratch_, working({"--format", "frames", "--reply", "two\nlines", "-n", "3"}));
  const Outcome asked = run(asking({"--format", "frames"}), file(requests));
  EXPECT_EQ(asked.code, 0) << asked.err;
  EXPECT_EQ(asked.out, framed({"two\nlines"}) + framed({"two\nlines"}) + framed({"two\nlines"}));
  expect(worker.wait(), 0, requests, "");
}

TEST_F(AskTest, JsonCarriesProperties) {
  Process worker(scratch_, working({"--format", "json", "--reply", "yes", "-n", "1"}));
  const Outcome asked = run(asking({"--format", "json", "--id", "desk"}),
                            file(R"({"frames":["what?"],"properties":{"Content-Type":"text/plain"}})"));
  EXPECT_EQ(asked.code, 0) << asked.err;
  const auto reply = nlohmann::json::parse(asked.out);
  EXPECT_EQ(reply.at("frames"), nlohmann::json({"yes"}));
  const auto request = nlohmann::json::parse(worker.wait().out);
  EXPECT_EQ(request.at("frames"), nlohmann::json({"what?"}));
  EXPECT_EQ(request.at("properties").at("Content-Type"), "text/plain");
  EXPECT_EQ(request.at("properties").at("Reply-To"), "desk");
  EXPECT_EQ(request.at("properties").at("Request-Id"), reply.at("properties").at("Request-Id"));
}

TEST_F(AskTest, ARequestThatTheFormatCannotShowIsNotAnswered) {
  Process asker(scratch_, asking({"--format", "frames"}), file(framed({"a", "b"})));
  const Outcome refused = run(working());
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("--format frames"), std::string::npos) << refused.err;
  expect(run(working({"--format", "frames", "-n", "1"})), 0, framed({"a", "b"}), "");
  EXPECT_EQ(asker.wait().out, framed({""}));
}

TEST_F(AskTest, PlainEndpointsCanBeAskedToo) {
  const std::string plain = "ipc://" + (scratch_ / "plain").string();
  expect(run({"send", plain, "--type", "req", "--timeout", "100ms"}, file("1\n")), 1, "",
         "vtx send: no reply came in time; 0 requests answered, one more was sent and may be lost\n");
  Process asker(scratch_, {"send", plain, "--type", "req"}, file("1\n2\n"));
  expect(run({"recv", plain, "--type", "rep", "-n", "2", "--reply", "ok"}), 0, "1\n2\n", "");
  expect(asker.wait(), 0, "ok\nok\n", "vtx send: 2 requests answered\n");
}

TEST_F(AskTest, OptionsOfOtherTypesAreWrongUsage) {
  for (const Strings& arguments : std::vector<Strings>{{"send", uri(), "--timeout", "1s"},
                                                       {"send", uri(), "--id", "desk"},
                                                       {"send", uri(), "--type", "pub", "--id", "desk"},
                                                       {"recv", uri(), "--reply", "yes"},
                                                       {"recv", uri(), "--type", "sub", "--reply", "yes"},
                                                       asking({"--id", ""}),
                                                       asking({"--id", std::string(256, 'x')}),
                                                       asking({"--timeout", "soon"})}) {
    const Outcome refused = run(arguments);
    EXPECT_EQ(refused.code, 2) << arguments.back();
    EXPECT_NE(refused.err.find(arguments[arguments.size() - 2]), std::string::npos) << refused.err;
  }
  EXPECT_EQ(run({"send", uri("&ack=next"), "--type", "req"}).code, 2) << "a request is settled by its reply";
}

}  // namespace
}  // namespace vtx::test
