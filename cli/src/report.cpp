/* SPDX-License-Identifier: MPL-2.0 */
//
// Notes and progress on standard error.
#include "report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "endpoint_text.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

std::string program_name = "vtx";
bool progress_line = false;  // a line of progress stands where the cursor is

// Not fmt::print: that throws when standard error cannot be written, and there is nowhere to say so.
void say(const std::string& text) { (void)std::fputs(text.c_str(), stderr); }

void wipe_progress() {
  if (progress_line) say("\r\033[K");
  progress_line = false;
}

}  // namespace

void set_program_name(const std::string& name) { program_name = name; }

void note(const std::string& text) {
  wipe_progress();
  say(fmt::format("{}: {}\n", program_name, printable(without_passwords(text))));
}

Progress::Progress(bool wanted) : shown_(wanted && isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { wipe_progress(); }

void Progress::show(std::uint64_t messages, std::optional<std::uint64_t> depth, std::optional<double> left) {
  print(messages, depth ? fmt::format("  depth {}", grouped(*depth)) : "", left);
}

void Progress::show_share(std::uint64_t messages, std::uint64_t done, std::uint64_t total) {
  print(messages, fmt::format("  {} of {}", grouped(done), grouped(total)),
        static_cast<double>(total - done) / static_cast<double>(done));
}

void Progress::print(std::uint64_t messages, const std::string& more, std::optional<double> left) {
  const auto now = Clock::now();
  const std::chrono::duration<double> since = now - last_;
  const std::chrono::duration<double> total = now - start_;
  const double rate = static_cast<double>(messages - last_messages_) / since.count();
  last_ = now;
  last_messages_ = messages;
  std::string line = fmt::format("{} messages  {}/s", grouped(messages), grouped(static_cast<std::uint64_t>(rate)));
  line += more;
  if (left) line += fmt::format("  {} left", readable_time(total.count() * *left));
  wipe_progress();
  say(line);
  std::fflush(stderr);
  progress_line = true;
}

}  // namespace vtx::cli
