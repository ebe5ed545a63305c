/* SPDX-License-Identifier: MPL-2.0 */
//
// Opening a connection with the settings that VTX relies on, and keeping its write-ahead log short.
#include "database.hpp"

namespace vtx::sqlite {
namespace {

// A checkpoint copies pages to the database and costs two syncs; a longer log costs readers and disk.
constexpr std::size_t kPassivePages = 1000;
constexpr std::size_t kRestartPages = 4096;  // 16 MiB: some reader keeps it from being written again from its beginning

int note_wal(void* pages, sqlite3*, const char*, int count) {
  *static_cast<std::size_t*>(pages) = static_cast<std::size_t>(count);
  return SQLITE_OK;
}

}  // namespace

void Database::open(const std::string& path, int flags, const char* vfs) {
  const int result =
      sqlite3_open_v2(path.c_str(), &connection_, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
  if (result != SQLITE_OK) {
    const auto error = last_error(connection_, result);
    close();
    throw SqliteError{error};
  }
  sqlite3_busy_timeout(connection_, static_cast<int>(kBusyTime.count()));
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  sqlite3_wal_hook(connection_, note_wal, &wal_pages_);  // in place of SQLite's own checkpoints
  // No mmap: a disk error would be a SIGBUS. Spilling to the log in mid-transaction would only write pages twice.
  // Some systems build SQLite to overwrite what is deleted; FAST leaves free pages as they are.
  execute(
      "PRAGMA mmap_size = 0; PRAGMA foreign_keys = OFF; PRAGMA cache_spill = OFF; PRAGMA secure_delete = FAST; "
      "PRAGMA synchronous = FULL;");
  sync_ = true;
}

void Database::close() {
  statements_.clear();
  if (connection_) sqlite3_close_v2(connection_);
  connection_ = nullptr;
  wal_pages_ = 0;
  checkpoint_at_ = kPassivePages;
}

sqlite3_stmt* Database::prepared(const char* sql) {
  auto& statement = statements_[sql];
  if (!statement) {
    sqlite3_stmt* fresh = nullptr;
    const int result = sqlite3_prepare_v3(connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &fresh, nullptr);
    if (result != SQLITE_OK) throw last_error(connection_, result);
    statement.reset(fresh);
  }
  return statement.get();
}

void Database::execute(const char* sql) {
  const int result = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) throw last_error(connection_, result);
}

bool Database::begin() {
  try {
    run("BEGIN IMMEDIATE");
    return true;
  } catch (const SqliteError& error) {
    if ((error.native & 0xff) == SQLITE_BUSY) return false;
    throw;
  }
}

void Database::set_sync(bool sync) {
  if (sync == sync_) return;
  execute(sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  sync_ = sync;
}

void Database::rollback() noexcept {
  if (in_transaction()) sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
}

void Database::checkpoint() noexcept {
  if (wal_pages_ < checkpoint_at_ - kPassivePages) checkpoint_at_ = kPassivePages;  // the log began anew
  if (wal_pages_ < checkpoint_at_) return;
  const bool held_up = wal_pages_ >= kRestartPages;
  sqlite3_wal_checkpoint_v2(connection_, "main", held_up ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE,
                            nullptr, nullptr);
  // The next commit begins the log anew unless a reader is still in it; then not at every commit again.
  checkpoint_at_ = wal_pages_ + kPassivePages;
}

}  // namespace vtx::sqlite
