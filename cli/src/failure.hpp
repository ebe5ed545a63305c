/* SPDX-License-Identifier: MPL-2.0 */
//
// How a command ends: the exit codes that scripts rely on, and the one exception that carries a sentence and a
// code up to main, which prints it. Apart because every command and every helper of theirs uses it.
#pragma once

#include <stdexcept>
#include <string>

namespace vtx::cli {

enum class Exit : int { done = 0, failed = 1, usage = 2 };

/// Ends the command. The sentence says what happened, to what, and what to do.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& sentence, Exit code = Exit::failed, int error = 0)
      : std::runtime_error(sentence), code_(code), error_(error) {}
  Exit code() const noexcept { return code_; }
  /// The errno behind it; 0 when there is none.
  int error() const noexcept { return error_; }

 private:
  Exit code_;
  int error_;
};

/// The failure that the calling thread's last VTX call has left: its sentence, and `usage` when what the user typed was wrong.
Failure last_failure(const std::string& endpoint);

/// The failure of a system call on `what`: its errno in words.
Failure system_failure(const std::string& what);

}  // namespace vtx::cli
