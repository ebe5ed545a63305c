/* SPDX-License-Identifier: MPL-2.0 */
//
// What a run is asked to do, and where it does it: a directory of fresh databases, removed afterwards.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace vtx::bench {

using Clock = std::chrono::steady_clock;

struct Options {
  std::uint64_t messages = 1'000'000;  ///< of each throughput run
  std::size_t rounds = 5;              ///< of each comparison; medians are printed
  std::uint64_t singles = 3000;        ///< messages sent one at a time, of each latency case
  std::uint64_t delayed = 100'000;     ///< messages with a delay
  std::uint64_t spread = 60;           ///< seconds over which they are due
  std::uint64_t lead = 20;             ///< seconds before the first is, for all to be sent
  std::size_t size = 100;              ///< bytes of a message, at least 8
  int hwm = 1000;                      ///< ZMQ_SNDHWM and ZMQ_RCVHWM of the application's sockets: libzmq's own default
  std::string directory;
  std::uint64_t held = 300;        ///< seconds of the case pg-held
  std::string postgres;            ///< URI of the server of the cases pg-…; empty: they do not run
  std::vector<std::string> cases;  ///< none: all
  bool json = false;
};

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

double seconds_since(Clock::time_point start);

/// A directory for databases; everything in it goes with it.
class Arena {
 public:
  explicit Arena(const std::string& parent);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// The path of a database that is not there yet. The ones before are removed: a run should not fight for their pages.
  std::string fresh();
  /// The same, beside those in use.
  std::string another();

 private:
  std::filesystem::path directory_;
  int count_ = 0;
};

}  // namespace vtx::bench
