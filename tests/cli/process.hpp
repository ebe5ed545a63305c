/* SPDX-License-Identifier: MPL-2.0 */
//
// Runs the real `vtx`, or another program beside it, as a process of its own, as a shell would, with its three streams in files or pipes.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace vtx::test {

/// A whole file. Fails the test when it cannot be read.
std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& content);

/// How a process ended, and what it had written.
struct Outcome {
  int code = -1;    ///< its exit code; -1 when a signal ended it
  int signal = 0;   ///< that signal
  std::string out;  ///< "" when standard output was a pipe
  std::string err;
};

/// A running `vtx`, or another program. Killed when it goes out of scope. Single-threaded.
class Process {
 public:
  enum class Out { file, pipe };
  enum class In { file, pipe };

  /// @param scratch  an existing folder for what it writes
  /// @param input    a file for standard input, with In::file
  /// @param program  looked for as a shell would
  Process(const std::filesystem::path& scratch, const std::vector<std::string>& arguments,
          const std::filesystem::path& input = "/dev/null", Out out = Out::file, In in = In::file,
          const std::string& program = VTX_COMMAND);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void signal(int number) const;
  bool is_running();

  /// The outcome, once it has ended; the test fails when that takes over a minute.
  Outcome wait();

  const std::filesystem::path& out_path() const { return out_path_; }
  /// Reads `size` bytes of its standard output, fewer at the end. Out::pipe
  std::string read_out(std::size_t size);
  void close_out();
  /// Writes to its standard input. In::pipe
  void write_in(const std::string& data) const;
  void close_in();

 private:
  void reap(bool block);

  std::filesystem::path out_path_;
  std::filesystem::path err_path_;
  pid_t pid_ = -1;
  int out_ = -1;
  int in_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

}  // namespace vtx::test
