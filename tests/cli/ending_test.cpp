/* SPDX-License-Identifier: MPL-2.0 */
//
// How the command ends: killed, by a signal, by a reader that goes away, by a message that its format cannot show.
// Nothing is lost in any of these, and what was done stays done.
#include <signal.h>

#include <thread>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

constexpr int kMany = 4000;
constexpr std::size_t kPipe = 65'536;  // bytes that a pipe holds

// Long lines, so that one batch of the receiver is more than a pipe holds: it is surely in the middle of a write.
std::string many() { return numbered_lines(kMany, 1000); }

// Time for a receiver to do what it should not do: settle what it has not written. A slow machine only hides a fault.
void let_it_err() { std::this_thread::sleep_for(std::chrono::milliseconds(500)); }

TEST_F(CliTest, AKilledReceiverLosesNothing) {
  send(many());
  Process killed(scratch_, {"recv", uri("&lease=500ms")}, "/dev/null", Process::Out::pipe);
  std::string out = killed.read_out(many().size() / 2);
  let_it_err();
  killed.signal(SIGKILL);
  out += killed.read_out(SIZE_MAX);
  EXPECT_EQ(killed.wait().signal, SIGKILL);
  Strings lines = whole_lines(out);
  EXPECT_LT(lines.size(), static_cast<std::size_t>(kMany));
  for (const auto& line : whole_lines(receive({}, "&lease=500ms"))) lines.push_back(line);
  EXPECT_EQ(sorted_unique(lines), sorted(whole_lines(many())));
}

TEST_F(CliTest, IdleDoesNotRunWhileAnotherReceiverHoldsMessages) {
  send(many());
  // Its pipe is full and nobody reads: it holds what it has claimed.
  Process holder(scratch_, {"recv", uri("&lease=500ms")}, "/dev/null", Process::Out::pipe);
  std::string out = holder.read_out(1000);
  Process waiting(scratch_, {"recv", uri("&lease=500ms"), "--idle", "300ms"});
  std::this_thread::sleep_for(
      std::chrono::seconds(2));  // much more than its idle time; a slow machine only makes it more
  holder.signal(SIGKILL);
  out += holder.read_out(SIZE_MAX);
  const Outcome rest = waiting.wait();
  EXPECT_EQ(rest.code, 0) << rest.err;
  Strings lines = whole_lines(out);
  for (const auto& line : whole_lines(rest.out)) lines.push_back(line);
  EXPECT_EQ(sorted_unique(lines), sorted(whole_lines(many())));
}

TEST_F(CliTest, SignalsEndAReceiverCleanlyWithItsWorkSettled) {
  for (const int number : {SIGINT, SIGTERM}) {
    send("1\n2\n3\n");
    Process receiver(scratch_, {"recv", uri()}, "/dev/null", Process::Out::pipe);
    EXPECT_EQ(receiver.read_out(6), "1\n2\n3\n");
    receiver.signal(number);
    const Outcome ended = receiver.wait();
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(receive(), "");
  }
}

TEST_F(CliTest, ASignalEndsAReceiverWhoseReaderSleeps) {
  send(many());
  Process receiver(scratch_, {"recv", uri()}, "/dev/null", Process::Out::pipe);
  std::string out = receiver.read_out(many().size() / 2);
  let_it_err();
  receiver.signal(SIGTERM);
  EXPECT_EQ(receiver.wait().code, 0);
  out += receiver.read_out(SIZE_MAX);
  Strings lines = whole_lines(out);
  EXPECT_LT(lines.size(), static_cast<std::size_t>(kMany));
  // It had time to settle what was written, and only that: the rest comes now, nothing twice.
  for (const auto& line : whole_lines(receive())) lines.push_back(line);
  EXPECT_EQ(sorted(lines), sorted(whole_lines(many())));
}

TEST_F(CliTest, ASignalBeforeTheNthMessageIsAFailure) {
  send("1\n2\n");
  Process receiver(scratch_, {"recv", uri(), "-n", "3"}, "/dev/null", Process::Out::pipe);
  EXPECT_EQ(receiver.read_out(4), "1\n2\n");
  receiver.signal(SIGTERM);
  const Outcome ended = receiver.wait();
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "vtx recv: stopped by a signal after 2 of 3 messages\n");
}

TEST_F(CliTest, ASignalEndsASenderWithWhatItReadMadeDurable) {
  Process sender(scratch_, {"send", uri()}, "/dev/null", Process::Out::file, Process::In::pipe);
  sender.write_in("1\n2\ncut o");
  EXPECT_EQ(run({"recv", uri(), "-n", "2"}).out, "1\n2\n");  // sent while its input is still open
  sender.signal(SIGTERM);
  const Outcome ended = sender.wait();
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "vtx send: stopped by a signal; 2 messages sent, all durable\n");
  EXPECT_EQ(receive(), "");
}

TEST_F(CliTest, AReaderThatHasGoneIsAFailureAndSettlesNothingUnwritten) {
  send(many());
  Process receiver(scratch_, {"recv", uri()}, "/dev/null", Process::Out::pipe);
  const std::string taken = receiver.read_out(many().size() / 2);
  let_it_err();
  receiver.close_out();
  const Outcome ended = receiver.wait();
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.err.find("its reader has gone"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("use -n"), std::string::npos) << ended.err;
  // Lost is at most what lay in the pipe that the reader threw away, and a message cut off at each end of that.
  EXPECT_GE(receive().size() + taken.size() + kPipe + 5000, many().size());
}

TEST_F(CliTest, AMessageThatLinesCannotShowStaysInTheQueue) {
  for (const std::string& odd : {framed({"with\nnewline"}), framed({"two", "frames"})}) {
    send(framed({"plain"}) + odd + framed({"after"}), "frames");
    const Outcome lines = run({"recv", uri(), "--idle", "1s"});
    EXPECT_EQ(lines.code, 1);
    EXPECT_EQ(lines.out, "plain\n");
    EXPECT_NE(lines.err.find("--format frames"), std::string::npos) << lines.err;
    const std::string rest = receive({"--format", "frames"});
    EXPECT_TRUE(rest == odd + framed({"after"}) || rest == framed({"after"}) + odd) << rest;
  }
}

TEST_F(CliTest, AFramesFileThatIsCutShortSendsWhatIsWhole) {
  const std::string whole = framed({"1"}) + framed({"2"});
  const Outcome sent = run({"send", uri(), "--format", "frames"}, file(whole + framed({"third"}).substr(0, 9)));
  EXPECT_EQ(sent.code, 1);
  EXPECT_NE(sent.err.find("cut short"), std::string::npos) << sent.err;
  EXPECT_NE(sent.err.find("2 messages sent, all durable"), std::string::npos) << sent.err;
  EXPECT_EQ(receive({"--format", "frames"}), whole);
}

}  // namespace
}  // namespace vtx::test
