/* SPDX-License-Identifier: MPL-2.0 */
//
// What is retired leaves the disk, and what waits is not in memory.
#include <rocksdb/perf_context.h>
#include <rocksdb/perf_level.h>

#include <thread>

#include "scene.hpp"

namespace vtx::rocks::test {
namespace {

using RetentionTest = RocksTest;

constexpr std::uintmax_t kMiB = 1 << 20;

TEST_F(RetentionTest, TheDirectoryShrinksWhenMessagesAreRetired) {
  options_ = {{"memtable", "1MiB"}};
  const auto a = open();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const Id group = a->group(queue);
  const Id holder = a->holder();
  std::string body(1000, 'x');
  const std::vector<std::string> batch(500, body);
  for (int i = 0; i < 128; ++i) a->append(stream, batch);
  EXPECT_GT(size_of_directory(), 60 * kMiB);
  EXPECT_EQ(a->drain(group, holder).size(), 64'000U);
  EXPECT_EQ(a->tend("q"), 64'000U);
  // RocksDB works in the background, and looks at what there is when something is written.
  for (int i = 0; i < 100 && size_of_directory() > 16 * kMiB; ++i) {
    std::this_thread::sleep_for(Ms(100));
    a->append(stream, batch);
    a->drain(group, holder);
    a->tend("q");
  }
  EXPECT_LT(size_of_directory(), 16 * kMiB);
}

/// Nor by what is beside it in the same files, whichever way RocksDB looks for it.
TEST_F(RetentionTest, WhatIsLeftIsReadWithoutGoingThroughWhatWasRetired) {
  options_ = {{"memtable", "1MiB"}};
  const auto a = open();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue), group = a->group(queue), holder = a->holder();
  const std::vector<std::string> batch(1000, std::string(200, 'x'));
  for (int i = 0; i < 64; ++i) a->append(stream, batch);
  a->start();  // all of it goes to files
  for (int i = 0; i < 40; ++i) a->settle({settle_all(a->claim(group, holder, 1000))});
  EXPECT_EQ(a->tend("q"), 40'000U);
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
  rocksdb::get_perf_context()->Reset();
  constexpr u64 kClaims = 4;
  for (u64 i = 0; i < kClaims; ++i) EXPECT_EQ(a->claim(group, holder, 100).messages.size(), 100U);
  const u64 blocks = rocksdb::get_perf_context()->block_read_count + rocksdb::get_perf_context()->block_cache_hit_count;
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
  EXPECT_GT(blocks, 0U);
  EXPECT_LT(blocks, kClaims * 12);
}

TEST_F(RetentionTest, ABatchGoesWhenItsLastMessageDoes) {
  const auto a = open();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const Id group = a->group(queue);
  const Id holder = a->holder();
  a->append(stream, numbers(1, 10));
  a->append(stream, numbers(11, 20));
  const Completion some = a->claim(group, holder, 13);
  a->settle({settle_all(some)});
  EXPECT_EQ(a->tend("q"), 13U);
  EXPECT_EQ(a->read(stream), numbers(14, 20));
  EXPECT_EQ(a->stats("q").bytes, 2U * 7);
  EXPECT_EQ(a->stats("q").messages, 7U);
}

TEST_F(RetentionTest, PlacesAreFoundInBatchesOfAnySize) {
  const auto a = open();
  const Id stream = a->stream(a->queue("q", "25"));
  Seq next = 1;
  for (u64 size = 1; size <= 20; ++size) {
    a->append(stream, numbers(next, next + size - 1));
    next += size;
  }
  a->tend("q");
  EXPECT_EQ(a->read(stream), numbers(next - 25, next - 1));
  for (Seq from = next - 25; from < next; ++from)
    EXPECT_EQ(texts(a->run(driver::Read{stream, from, {3, 100}})), numbers(from, std::min(from + 2, next - 1)));
  EXPECT_EQ(a->run(driver::Locate{stream, "-1h"}).first, next - 25);
  EXPECT_EQ(a->run(driver::Locate{stream, "time:2100-01-01T00:00:00Z"}).first, next);
}

}  // namespace
}  // namespace vtx::rocks::test
