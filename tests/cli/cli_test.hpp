/* SPDX-License-Identifier: MPL-2.0 */
//
// What all tests of the command share: a folder and a store of their own, and short ways to run it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <sstream>

#include "process.hpp"

namespace vtx::test {

using Strings = std::vector<std::string>;

class CliTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "vtx-cli-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    scratch_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(scratch_); }

  /// The endpoint of a queue of this test's store; `options` as "&ack=next".
  std::string uri(const std::string& options = "", const std::string& queue = "jobs") const {
    return "sqlite:" + database().string() + "?queue=" + queue + options;
  }
  std::filesystem::path database() const { return scratch_ / "q.db"; }

  /// A file of this test with this content.
  std::filesystem::path file(const std::string& content, const std::string& name = "input") const {
    write_file(scratch_ / name, content);
    return scratch_ / name;
  }

  Outcome run(const Strings& arguments, const std::filesystem::path& input = "/dev/null") const {
    return Process(scratch_, arguments, input).wait();
  }

  /// Sends `content` and expects that to succeed.
  void send(const std::string& content, const std::string& format = "lines") const {
    const Outcome sent = run({"send", uri(), "--format", format}, file(content));
    ASSERT_EQ(sent.code, 0) << sent.err;
  }

  /// Receives what is there.
  std::string receive(const Strings& more = {}, const std::string& options = "") const {
    Strings arguments{"recv", uri(options), "--idle", "1s"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome received = run(arguments);
    EXPECT_EQ(received.code, 0) << received.err;
    return received.out;
  }

  std::filesystem::path scratch_;
};

/// Numbered lines, some long, so that they fill any pipe: "1 …\n2 …\n".
inline std::string numbered_lines(int count, std::size_t padding = 0) {
  std::string out;
  for (int i = 1; i <= count; ++i) out += std::to_string(i) + std::string(padding, '.') + "\n";
  return out;
}

/// The whole lines of a text; a last line that was cut off is left out.
inline Strings whole_lines(const std::string& text) {
  Strings lines;
  std::size_t begin = 0;
  for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

inline Strings sorted(Strings lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

inline Strings sorted_unique(Strings lines) {
  lines = sorted(std::move(lines));
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  return lines;
}

/// A message in the format `frames`, written here anew so that the command is checked against the definition.
inline std::string framed(const Strings& frames) {
  const auto number = [](std::size_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
    return bytes;
  };
  std::string out = number(frames.size());
  for (const auto& frame : frames) out += number(frame.size()) + frame;
  return out;
}

}  // namespace vtx::test
