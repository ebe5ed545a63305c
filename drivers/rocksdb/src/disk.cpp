/* SPDX-License-Identifier: MPL-2.0 */
#include "disk.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/experimental.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

namespace vtx::rocks {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::array<const char*, kFamilies> kNames{"default", "messages", "delayed"};

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& text) { return {text.data(), text.size()}; }

/// The one place that knows what RocksDB's failures mean.
Status translate(const rocksdb::Status& status, const std::string& hidden, const std::string& named) {
  std::string text = status.ToString();
  for (std::size_t at = 0; (at = text.find(hidden, at)) != std::string::npos;) text.replace(at, hidden.size(), named);
  const auto say = [&](Code code, const char* remedy) {
    return Status(code, named + ": " + text + remedy, static_cast<int>(status.code()));
  };
  if (status.IsNoSpace() || text.find("Disk quota exceeded") != std::string::npos)
    return say(Code::no_space, "; free space on its disk");
  if (text.find("Permission denied") != std::string::npos || text.find("Read-only file system") != std::string::npos)
    return say(Code::denied, "; make the directory and its files writable for this user");
  if (text.find("Compression type") != std::string::npos)
    return say(Code::unsupported, "; this RocksDB was built without it");
  if (status.IsCorruption()) return say(Code::corrupt, "; restore it from a backup, or see `ldb repair`");
  if (status.IsInvalidArgument()) return say(Code::corrupt, "; this is no database of VTX, name another directory");
  return say(Code::lost, "; VTX opens it again");
}

rocksdb::CompressionType compression_of(const std::string& name) {
  if (name == "lz4") return rocksdb::kLZ4Compression;
  if (name == "zstd") return rocksdb::kZSTD;
  return rocksdb::kNoCompression;
}

rocksdb::DBOptions database_options(const Tuning& tuning) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // Every acknowledged commit with `sync` lies before the place where the power went: the log is read up to the first record that is torn,
  // and nothing behind a hole is taken for good. A tail torn by the crash of an unsynced write is no damage.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // Old logs are not written over: with what was there before in them, a torn tail would be harder to tell.
  options.recycle_log_file_num = 0;
  // The books are a few rows written again and again, the messages fill memtables: without a bound the log would be kept for the books' sake.
  options.max_total_wal_size = tuning.memtable_bytes;
  // All column families together.
  options.db_write_buffer_size = tuning.memtable_bytes;
  // One flush and one compaction at a time: the application has its own use for the cores.
  options.max_background_jobs = 2;
  // Each open table reader costs memory, although index and filters are in the bounded cache.
  options.max_open_files = 256;
  // Statistics of all files, read at the start, would only help to choose among compactions.
  options.skip_stats_update_on_db_open = true;
  // The log is for people who look for a cause; a few small files of it do.
  options.max_log_file_size = 1 * kMiB;
  options.keep_log_file_num = 3;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // Writes to the disk in the background are spread out, so that a sync does not find a heap of them before it.
  options.bytes_per_sync = 1 * kMiB;
  options.wal_bytes_per_sync = 1 * kMiB;
  return options;
}

rocksdb::ColumnFamilyOptions family_options(Family family, const Tuning& tuning) {
  rocksdb::ColumnFamilyOptions options;
  rocksdb::BlockBasedTableOptions table;
  // Messages are read once, soon after they were written, and mostly from the memtable; the cache is for the rows of indexes, and for the batch that a
  // consumer is in: in one piece, since a part of it would have no room for a whole batch, which would be read again for each claim.
  static const auto cache = rocksdb::NewLRUCache(32 * kMiB, 0);
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;  // so that they are within the bound
  table.block_size = 16 << 10;                 // whole batches, read in order
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size =
      family == Family::books ? std::min(tuning.memtable_bytes, 8 * kMiB) : tuning.memtable_bytes;
  options.max_write_buffer_number = 2;
  // Bodies are the application's, often compressed already, and the processor is its, too.
  options.compression = family == Family::books ? rocksdb::kNoCompression : compression_of(tuning.compression);
  // Retired ranges are to leave the disk: files of one stream's age, not of gigabytes.
  options.target_file_size_base = std::min(tuning.memtable_bytes, 32 * kMiB);
  options.level_compaction_dynamic_level_bytes = true;
  return options;
}

/// For looking without leaving a trace.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

Status of_others(const std::string& directory, const std::string& file) {
  return {Code::corrupt,
          directory + " has something else in it (" + file + "); name a directory that is VTX's, or a new one"};
}

/// What RocksDB makes in a new directory before CURRENT is there: somebody was interrupted.
bool is_beginning(const std::string& name) {
  return name == "LOCK" || name == "IDENTITY" || name.starts_with("LOG") || name.starts_with("MANIFEST-") ||
         name.starts_with("OPTIONS-") || name.ends_with(".dbtmp") || name.ends_with(".log");
}

std::string path_of(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

}  // namespace

struct Disk::Parts {
  std::string hidden;  // the path by which RocksDB knows the directory
  std::string named;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::WriteBatch batch;
  bool unsynced = false;

  rocksdb::ColumnFamilyHandle* of(Family family) const { return handles[static_cast<std::size_t>(family)]; }
  void check(const rocksdb::Status& status, bool writing = false) const {
    if (!status.ok()) throw DiskError(translate(status, hidden, named), writing);
  }
};

Disk::Disk(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Disk::~Disk() {
  for (auto* handle : parts_->handles) (void)parts_->db->DestroyColumnFamilyHandle(handle);
  (void)parts_->db->Close();
}

Result<bool> Disk::probe(int fd, const std::string& named) {
  const std::string hidden = path_of(fd);
  std::error_code error;
  bool empty = true;
  std::string foreign_file;
  // One look: while another process makes the database, a second one would find what the first did not.
  for (auto it = std::filesystem::directory_iterator(hidden, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename();
    if (name == "CURRENT")
      empty = false;
    else if (!is_beginning(name))
      foreign_file = name;
  }
  if (error) return fail(Code::denied, named + ": " + error.message(), error.value());
  if (empty && !foreign_file.empty()) return tl::unexpected(of_others(named, foreign_file));
  if (empty) return false;

  std::vector<std::string> names;
  auto status = rocksdb::DB::ListColumnFamilies({}, hidden, &names);
  if (!status.ok()) return tl::unexpected(translate(status, hidden, named));
  const Status foreign(Code::corrupt, named + " is a RocksDB database of another program; name another directory");
  for (const std::string& name : names)
    if (std::ranges::find(kNames, name) == kNames.end()) return tl::unexpected(foreign);

  rocksdb::Options options;
  options.info_log = std::make_shared<NoLog>();
  // One row is looked at, however many files there are.
  options.max_open_files = 16;
  options.skip_stats_update_on_db_open = true;
  rocksdb::DB* opened = nullptr;
  status = rocksdb::DB::OpenForReadOnly(options, hidden, &opened);
  if (!status.ok()) return tl::unexpected(translate(status, hidden, named));
  const std::unique_ptr<rocksdb::DB> db(opened);
  std::string format;
  status = db->Get({}, slice(kFormatKey), &format);
  if (status.IsNotFound()) {
    // Nothing yet when its beginning was interrupted, and nothing of ours when it has other rows.
    const std::unique_ptr<rocksdb::Iterator> any(db->NewIterator({}));
    any->SeekToFirst();
    if (any->Valid()) return tl::unexpected(foreign);
    status = any->status();
    if (status.ok()) return false;
  }
  // What cannot be read is not taken for new: it would be written over.
  if (!status.ok()) return tl::unexpected(translate(status, hidden, named));
  if (names.size() != kNames.size()) return tl::unexpected(foreign);
  if (format == std::to_string(kFormat)) return true;
  return fail(Code::newer_schema, named + " was written by a newer VTX (format " + format + ", this one knows " +
                                      std::to_string(kFormat) + "); upgrade this library");
}

Result<std::unique_ptr<Disk>> Disk::open(int fd, const std::string& named, const Tuning& tuning) {
  auto parts = std::make_unique<Parts>();
  // Through the descriptor: were the directory renamed and another put in its place, RocksDB's threads would otherwise write into that.
  parts->hidden = path_of(fd);
  parts->named = named;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.reserve(kFamilies);
  for (int i = 0; i < kFamilies; ++i)
    families.emplace_back(kNames[static_cast<std::size_t>(i)], family_options(static_cast<Family>(i), tuning));
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(database_options(tuning), parts->hidden, families, &parts->handles, &db);
  if (!status.ok()) return tl::unexpected(translate(status, parts->hidden, named));
  parts->db.reset(db);
  return std::unique_ptr<Disk>(new Disk(std::move(parts)));
}

void Disk::put(Family family, std::string_view key, std::string_view value) {
  parts_->check(parts_->batch.Put(parts_->of(family), slice(key), slice(value)));
}

void Disk::put(Family family, std::string_view key, std::span<const std::string_view> parts) {
  std::vector<rocksdb::Slice> slices;
  slices.reserve(parts.size());
  for (const auto& part : parts) slices.push_back(slice(part));
  const rocksdb::Slice name = slice(key);
  parts_->check(parts_->batch.Put(parts_->of(family), rocksdb::SliceParts(&name, 1),
                                  rocksdb::SliceParts(slices.data(), static_cast<int>(slices.size()))));
}

void Disk::erase(Family family, std::string_view key) {
  parts_->check(parts_->batch.Delete(parts_->of(family), slice(key)));
}

void Disk::erase(Family family, const KeyRange& range) {
  parts_->check(parts_->batch.DeleteRange(parts_->of(family), slice(range.from), slice(range.to)));
}

bool Disk::is_dirty() const { return parts_->batch.Count() > 0; }

std::size_t Disk::waiting_bytes() const { return parts_->batch.GetDataSize(); }

void Disk::write(bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  const auto status = parts_->db->Write(options, &parts_->batch);
  parts_->batch.Clear();
  parts_->check(status, true);
  parts_->unsynced = !sync;
}

void Disk::sync() {
  if (!parts_->unsynced) return;
  sync_log();
  parts_->unsynced = false;
}

void Disk::sync_log() const { parts_->check(parts_->db->SyncWAL(), true); }

std::optional<std::string> Disk::get(Family family, std::string_view key) const {
  std::string value;
  const auto status = parts_->db->Get({}, parts_->of(family), slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  parts_->check(status);
  return value;
}

void Disk::reclaim(Family family, const KeyRange& range) {
  // A failure leaves files where they are: the next time may have more luck.
  const rocksdb::Slice from = slice(range.from);
  const rocksdb::Slice to = slice(range.to);
  rocksdb::FlushOptions flush;
  flush.wait = false;
  flush.allow_write_stall = true;  // a second flush would otherwise be waited for
  (void)parts_->db->Flush(flush, parts_->of(family));
  (void)rocksdb::DeleteFilesInRange(parts_->db.get(), parts_->of(family), &from, &to, false);
  (void)rocksdb::experimental::SuggestCompactRange(parts_->db.get(), parts_->of(family), &from, &to);
}

Status Disk::verify() const {
  const auto status = parts_->db->VerifyChecksum();
  return status.ok() ? Status() : translate(status, parts_->hidden, parts_->named);
}

const std::string& Disk::named() const { return parts_->named; }

std::string Disk::version() { return rocksdb::GetRocksVersionAsString(); }

void Disk::stop_background() { rocksdb::CancelAllBackgroundWork(parts_->db.get(), true); }

struct Cursor::Parts {
  const Disk::Parts* disk = nullptr;
  KeyRange range;
  rocksdb::Slice lower;
  rocksdb::Slice upper;
  std::unique_ptr<rocksdb::Iterator> iterator;
};

Cursor::Cursor(const Disk& disk, Family family, KeyRange range) : parts_(std::make_unique<Parts>()) {
  parts_->disk = disk.parts_.get();
  parts_->range = std::move(range);
  parts_->lower = slice(parts_->range.from);
  parts_->upper = slice(parts_->range.to);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &parts_->lower;
  options.iterate_upper_bound = &parts_->upper;
  parts_->iterator.reset(parts_->disk->db->NewIterator(options, parts_->disk->of(family)));
}

Cursor::~Cursor() = default;

void Cursor::seek(std::string_view key) {
  parts_->iterator->Seek(slice(key));
  check();
}

void Cursor::next() {
  parts_->iterator->Next();
  check();
}

bool Cursor::valid() const { return parts_->iterator->Valid(); }
std::string_view Cursor::key() const { return view(parts_->iterator->key()); }
std::string_view Cursor::value() const { return view(parts_->iterator->value()); }
void Cursor::check() const { parts_->disk->check(parts_->iterator->status()); }

}  // namespace vtx::rocks
