/* SPDX-License-Identifier: MPL-2.0 */
//
// Chance for tests: from one number, which whoever reads of a failure can set again.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace vtx::test {

/// One run's source of chance. It is VTX_TEST_SEED of the environment, or another each time; what fails while this lives names it.
class Chance {
 public:
  Chance() : Chance(seed_of_run()) {}

  /// A number of 0..n-1.
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  /// True with probability `p`.
  bool happens(double p) { return std::bernoulli_distribution(p)(engine_); }

 private:
  explicit Chance(std::uint64_t seed)
      : engine_(seed), trace_(__FILE__, __LINE__, "VTX_TEST_SEED=" + std::to_string(seed)) {
    testing::Test::RecordProperty("seed", std::to_string(seed));
  }
  static std::uint64_t seed_of_run() {
    const char* given = std::getenv("VTX_TEST_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  }

  std::mt19937_64 engine_;
  testing::ScopedTrace trace_;
};

}  // namespace vtx::test
