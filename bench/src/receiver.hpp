/* SPDX-License-Identifier: MPL-2.0 */
//
// This program again, as the process that receives: what crosses processes is measured between two.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "arena.hpp"

namespace vtx::bench {

/// CLOCK_MONOTONIC, which all processes read alike.
std::int64_t nanoseconds();

/// The other process. It answers with numbers, as the function says that it runs there.
class Receiver {
 public:
  /// @param option  which of the functions below; a number that follows it is passed as --messages
  Receiver(const std::string& option, const std::string& endpoint, std::uint64_t messages = 1);
  /// Kills it unless wait_for_end() came first: when a measurement fails, nobody tells it to end.
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// The next number. Blocks until it has come.
  std::int64_t answer() const;
  /// Waits until it has ended by itself, as it does after its last answer or when it is told to.
  void wait_for_end();

 private:
  pid_t child_ = 0;
  int answers_ = -1;
};

/// --wakeup-receiver: for each message the nanoseconds since the moment that it begins with; one of moment 0 ends it.
int wakeup_receiver(const std::string& endpoint);
/// --stream-receiver: takes numbered messages. Says when it had the first and when the last, and how many claims brought them.
int stream_receiver(const std::string& endpoint, const Options& options);

}  // namespace vtx::bench
