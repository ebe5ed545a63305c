/* SPDX-License-Identifier: MPL-2.0 */
#include "session/backoff.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <set>
#include <vector>

namespace vtx {
namespace {

using driver::Ms;
using namespace std::chrono_literals;

std::vector<std::int64_t> waits(Backoff& backoff, int count) {
  std::vector<std::int64_t> all;
  for (int i = 0; i < count; ++i) all.push_back(backoff.next().value_or(Ms(-1)).count());
  return all;
}

const Backoff::Random kLeast = [] { return 0U; };
const Backoff::Random kMost = [] { return 99U; };  // of an interval of 100

TEST(Backoff, GivesUpAtOnceWithoutReconnection) {
  Backoff backoff(-1ms, 0ms, kLeast);
  EXPECT_EQ(backoff.next(), std::nullopt);
  backoff.reset();
  EXPECT_EQ(backoff.next(), std::nullopt);
}

TEST(Backoff, StaysConstantWithoutMaximum) {
  Backoff least(100ms, 0ms, kLeast), most(100ms, 0ms, kMost);
  EXPECT_EQ(waits(least, 3), (std::vector<std::int64_t>{100, 100, 100}));
  EXPECT_EQ(waits(most, 3), (std::vector<std::int64_t>{199, 199, 199}));
}

TEST(Backoff, IgnoresMaximumBelowInterval) {
  Backoff backoff(100ms, 100ms, kLeast);
  EXPECT_EQ(waits(backoff, 2), (std::vector<std::int64_t>{100, 100}));
}

TEST(Backoff, DoublesUpToMaximumAndNeverBeyond) {
  Backoff least(100ms, 1000ms, kLeast), most(100ms, 1000ms, kMost);
  EXPECT_EQ(waits(least, 6), (std::vector<std::int64_t>{100, 200, 400, 800, 900, 900}));
  EXPECT_EQ(waits(most, 6), (std::vector<std::int64_t>{199, 299, 499, 899, 999, 999}));
}

TEST(Backoff, BeginsAgainAfterReset) {
  Backoff backoff(100ms, 1000ms, kLeast);
  EXPECT_EQ(waits(backoff, 3).back(), 400);
  backoff.reset();
  EXPECT_EQ(backoff.next(), 100ms);
}

TEST(Backoff, KeepsItsJitterAtTheMaximum) {
  std::uint64_t counter = 0;
  Backoff backoff(100ms, 1000ms, [&counter] { return counter++; });
  const std::vector<std::int64_t> all = waits(backoff, 50);
  EXPECT_GT(std::set<std::int64_t>(all.begin() + 5, all.end()).size(), 40U);
}

TEST(Backoff, WaitsALittleWithIntervalZero) {
  Backoff backoff(0ms, 0ms, [] { return std::numeric_limits<std::uint64_t>::max(); });
  EXPECT_EQ(backoff.next(), 1ms);
}

TEST(Backoff, SurvivesTheLargestValuesOfTheSocketOptions) {
  const Ms largest(std::numeric_limits<int>::max());
  Backoff backoff(1ms, largest, kLeast);
  for (int i = 0; i < 100; ++i) EXPECT_LE(backoff.next().value(), largest);
}

}  // namespace
}  // namespace vtx
