/* SPDX-License-Identifier: MPL-2.0 */
//
// What goes into a queue comes out of it: every format, sources of input, -n, --idle, groups, several receivers.
#include "cli_test.hpp"

namespace vtx::test {
namespace {

TEST_F(CliTest, LinesComeBackAndALastOneWithoutNewlineIsAMessage) {
  const Outcome sent = run({"send", uri()}, file("first\n\n  third \r\nlast"));
  EXPECT_EQ(sent.code, 0);
  EXPECT_EQ(sent.err, "vtx send: 4 messages sent, all durable\n");
  EXPECT_EQ(receive(), "first\n\n  third \r\nlast\n");
}

TEST_F(CliTest, ManyLinesComeBackInOrder) {
  const std::string lines = numbered_lines(100'000);
  send(lines);
  EXPECT_TRUE(receive() == lines);
}

TEST_F(CliTest, FramesCarryEmptyFramesZeroBytesAndManyFrames) {
  const std::string messages = framed({""}) + framed({"", std::string("a\0b", 3), ""}) + framed({"x\ny"}) +
                               framed(Strings(1000, "frame")) + framed({std::string(1, '\0')});
  send(messages, "frames");
  EXPECT_TRUE(receive({"--format", "frames"}) == messages);
}

TEST_F(CliTest, FramesCarryAMessageOf64MiB) {
  std::string body(std::size_t{64} << 20, 'm');
  for (std::size_t i = 0; i < body.size(); i += 4099) body[i] = static_cast<char>(i * 7);
  const std::string messages = framed({"before"}) + framed({body}) + framed({"after"});
  send(messages, "frames");
  EXPECT_TRUE(receive({"--format", "frames"}) == messages);
}

TEST_F(CliTest, ALineLongerThanAnyBufferIsOneMessage) {
  const std::string lines = "short\n" + std::string(std::size_t{3} << 20, 'l') + "\nend\n";
  send(lines);
  EXPECT_TRUE(receive() == lines);
}

TEST_F(CliTest, RecordsAreParagraphs) {
  send("\n\nName: a\n more\n\nName: b\n\n\n\nName: c\n", "records");
  EXPECT_EQ(receive({"--format", "records"}), "Name: a\n more\n\nName: b\n\nName: c\n\n");
}

TEST_F(CliTest, FilesAndStandardInputAreReadInTheirOrder) {
  const auto one = file("1\n2", "one");
  const auto three = file("4\n", "three");
  const Outcome sent = run({"send", uri(), one, "-", three}, file("3\n"));
  EXPECT_EQ(sent.code, 0) << sent.err;
  EXPECT_EQ(receive(), "1\n2\n3\n4\n");
}

TEST_F(CliTest, TakesNoMoreThanAskedFor) {
  send("1\n2\n3\n4\n");
  const Outcome two = run({"recv", uri(), "-n", "2"});
  EXPECT_EQ(two.code, 0) << two.err;
  EXPECT_EQ(two.out, "1\n2\n");
  EXPECT_EQ(receive(), "3\n4\n");
}

TEST_F(CliTest, WhatWasReceivedDoesNotComeAgain) {
  for (const std::string ack : {"release", "next", "manual", "none"}) {
    send("1\n2\n3\n");
    EXPECT_EQ(receive({}, "&ack=" + ack), "1\n2\n3\n") << ack;
    EXPECT_EQ(receive({}, "&ack=" + ack), "") << ack;
  }
}

TEST_F(CliTest, WaitsForMessagesThatComeLater) {
  Process receiver(scratch_, {"recv", uri(), "-n", "3"});
  send("1\n2\n");
  send("3\n");
  const Outcome received = receiver.wait();
  EXPECT_EQ(received.code, 0) << received.err;
  EXPECT_EQ(received.out, "1\n2\n3\n");
}

TEST_F(CliTest, TwoReceiversShareWithoutLossOrDuplicate) {
  send(numbered_lines(20'000));
  Process one(scratch_, {"recv", uri("&prefetch=100"), "--idle", "2s"});
  Process two(scratch_, {"recv", uri("&prefetch=100"), "--idle", "2s"});
  const Outcome first = one.wait();
  const Outcome second = two.wait();
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(sorted(whole_lines(first.out + second.out)), sorted(whole_lines(numbered_lines(20'000))));
}

TEST_F(CliTest, OptionsOfTheEndpointArePassedOn) {
  const std::string forever = "&retain=forever";
  ASSERT_EQ(run({"send", uri(forever)}, file("1\n2\n")).code, 0);
  EXPECT_EQ(receive({}, forever + "&group=a"), "1\n2\n");
  EXPECT_EQ(receive({}, forever + "&group=b"), "1\n2\n");
}

}  // namespace
}  // namespace vtx::test
