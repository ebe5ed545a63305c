/* SPDX-License-Identifier: MPL-2.0 */
//
// Everything the command says on standard error: notes, and on a terminal the one line of progress, which a note
// must not be mixed up with. Standard output carries data only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace vtx::cli {

/// Sets what every note begins with: "vtx send".
void set_program_name(const std::string& name);

/// Prints "vtx send: text", on a line of its own.
void note(const std::string& text);

/// The line of progress. Says nothing unless standard error is a terminal. One a process.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param wanted  false: stays silent on a terminal too (standard output goes to the same one)
  explicit Progress(bool wanted = true);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  bool shown() const noexcept { return shown_; }
  /// True once a second, when shown: then gather the numbers and show() them.
  bool due() const { return shown_ && Clock::now() - last_ >= std::chrono::seconds(1); }

  /// @param messages  so far
  /// @param depth     of the queue, when known
  /// @param left      share of the work still to be done over the share that is done, when known
  void show(std::uint64_t messages, std::optional<std::uint64_t> depth, std::optional<double> left);

  /// As show(), for work whose whole is known.
  /// @param done, total  of it, in any unit
  void show_share(std::uint64_t messages, std::uint64_t done, std::uint64_t total);

 private:
  void print(std::uint64_t messages, const std::string& more, std::optional<double> left);

  bool shown_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
  std::uint64_t last_messages_ = 0;
};

}  // namespace vtx::cli
