/* SPDX-License-Identifier: MPL-2.0 */
#include "raw_rocksdb.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <chrono>
#include <cstring>
#include <vector>

#include "arena.hpp"

namespace vtx::bench {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

void check(const rocksdb::Status& status) {
  if (!status.ok()) throw Failure("raw RocksDB: " + status.ToString());
}

std::string big_endian(std::uint64_t stream, std::uint64_t last) {
  std::string key(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    key[i] = static_cast<char>(stream >> (56 - 8 * i));
    key[8 + i] = static_cast<char>(last >> (56 - 8 * i));
  }
  return key;
}

void put_number(std::string& to, std::uint64_t number) {
  for (; number >= 128; number >>= 7) to.push_back(static_cast<char>(number | 128));
  to.push_back(static_cast<char>(number));
}

std::uint64_t now_ms() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}

}  // namespace

struct RawRocks::Parts {
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  std::unique_ptr<rocksdb::DB> db;
  std::string body, value;
  std::uint64_t written = 0;
  std::uint64_t commits = 0;
};

RawRocks::RawRocks(const std::string& path, std::size_t message_size) : parts_(std::make_unique<Parts>()) {
  parts_->body.assign(message_size, 'x');
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.max_total_wal_size = 64 * kMiB;
  options.db_write_buffer_size = 64 * kMiB;
  options.max_background_jobs = 2;
  options.bytes_per_sync = kMiB;
  options.wal_bytes_per_sync = kMiB;
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(32 * kMiB);
  table.block_size = 16 << 10;
  table.checksum = rocksdb::kXXH3;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.write_buffer_size = 64 * kMiB;
  family.compression = rocksdb::kNoCompression;
  family.target_file_size_base = 32 * kMiB;
  family.level_compaction_dynamic_level_bytes = true;
  rocksdb::ColumnFamilyOptions books = family;
  books.write_buffer_size = 8 * kMiB;
  rocksdb::DB* db = nullptr;
  check(rocksdb::DB::Open(options, path, {{"default", books}, {"messages", family}}, &parts_->families, &db));
  parts_->db.reset(db);
}

RawRocks::~RawRocks() {
  for (auto* family : parts_->families) (void)parts_->db->DestroyColumnFamilyHandle(family);
  (void)parts_->db->Close();
}

void RawRocks::append(std::uint64_t count) {
  Parts& at = *parts_;
  at.value.assign(1, '\x01');
  put_number(at.value, count);
  put_number(at.value, now_ms());
  for (std::uint64_t i = 0; i < count; ++i) {
    put_number(at.value, 1);
    put_number(at.value, 0);
    put_number(at.value, at.body.size());
    put_number(at.value, 0);
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t number = at.written + i;
    std::memcpy(at.body.data(), &number, sizeof number);
    at.value += at.body;
  }
  rocksdb::WriteBatch batch;
  check(batch.Put(at.families[1], big_endian(1, at.written + count), at.value));
  at.written += count;
  ++at.commits;
  // The rows that tell of it: the stream, its producer, the mark.
  const std::string row = big_endian(at.written, at.commits) + std::string(32, 'r');
  for (const char* key : {"stream 1", "producer 0123456789abcdef", "mark"}) check(batch.Put(at.families[0], key, row));
  rocksdb::WriteOptions synced;
  synced.sync = true;
  check(at.db->Write(synced, &batch));
}

}  // namespace vtx::bench
