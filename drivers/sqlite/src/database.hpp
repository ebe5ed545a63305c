/* SPDX-License-Identifier: MPL-2.0 */
//
// A connection with its prepared statements. Failures are thrown as SqliteError. One thread at a time.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

#include "error.hpp"

namespace vtx::sqlite {

/// One run of a prepared statement; ends it when destroyed. Columns are valid until the next next().
class Rows {
 public:
  template <class... Values>
  Rows(sqlite3* connection, sqlite3_stmt* statement, const Values&... values)
      : connection_(connection), statement_(statement) {
    bind(values...);
  }
  ~Rows() { reset(); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  /// Places count from 1. Bound bytes are borrowed until the run is over; what is not bound again keeps its value.
  template <class... Values>
  void bind(const Values&... values) {
    [[maybe_unused]] int place = 0;
    (bind_one(++place, values), ...);
  }
  bool next() {
    const int result = sqlite3_step(statement_);
    if (result == SQLITE_ROW) return true;
    if (result != SQLITE_DONE) throw last_error(connection_, result);
    return false;
  }
  /// For a statement without rows that is run again and again.
  void run() {
    next();
    reset();
  }
  void reset() { sqlite3_reset(statement_); }

  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  std::uint64_t number(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::span<const std::byte> blob(int column) const {
    const void* bytes = sqlite3_column_type(statement_, column) == SQLITE_TEXT
                            ? sqlite3_column_text(statement_, column)
                            : sqlite3_column_blob(statement_, column);
    return {static_cast<const std::byte*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  /// As UTF-8, whatever the database's encoding; a blob's bytes as they are.
  std::string_view text(int column) const {
    const auto bytes = blob(column);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  template <class T>
  void bind_one(int place, const T& value) {
    int result = SQLITE_OK;
    if constexpr (std::is_same_v<T, std::nullptr_t>)
      result = sqlite3_bind_null(statement_, place);
    else if constexpr (std::is_integral_v<T>)
      result = sqlite3_bind_int64(statement_, place, static_cast<std::int64_t>(value));
    else if constexpr (std::is_convertible_v<T, std::string_view>) {
      const std::string_view text = value;
      result = sqlite3_bind_text64(statement_, place, text.data() ? text.data() : "", text.size(), SQLITE_STATIC,
                                   SQLITE_UTF8);
    } else {
      const std::span<const std::byte> bytes = std::as_bytes(std::span(value));
      result = bytes.empty() ? sqlite3_bind_zeroblob(statement_, place, 0)
                             : sqlite3_bind_blob64(statement_, place, bytes.data(), bytes.size(), SQLITE_STATIC);
    }
    if (result != SQLITE_OK) throw last_error(connection_, result);
  }

 private:
  sqlite3* connection_;
  sqlite3_stmt* statement_;
};

class Database {
 public:
  Database() = default;
  ~Database() { close(); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void open(const std::string& path, int flags, const char* vfs);
  void close();
  bool is_open() const { return connection_ != nullptr; }
  sqlite3* raw() const { return connection_; }

  /// @param sql  a literal: statements are kept by its address
  /// @param values  texts and bytes are borrowed until the rows are over
  template <class... Values>
  Rows query(const char* sql, Values&&... values) {
    static_assert(!(std::is_same_v<Values, std::string> || ...), "it would be gone before the first row is asked for");
    return Rows(connection_, prepared(sql), values...);
  }
  template <class... Values>
  void run(const char* sql, const Values&... values) {
    Rows rows(connection_, prepared(sql), values...);
    rows.next();
  }
  /// First column of the first row.
  template <class... Values>
  std::optional<std::int64_t> value(const char* sql, const Values&... values) {
    Rows rows(connection_, prepared(sql), values...);
    if (!rows.next() || rows.is_null(0)) return std::nullopt;
    return rows.integer(0);
  }
  /// Statements that are not worth keeping.
  void execute(const char* sql);

  /// Takes SQLite's write lock; false when somebody who does not queue with VTX kept it longer than the busy time.
  bool begin();
  /// From now on commits wait for the disk, or do not.
  void set_sync(bool sync);
  void rollback() noexcept;
  bool in_transaction() const { return connection_ && sqlite3_get_autocommit(connection_) == 0; }
  std::int64_t last_id() const { return sqlite3_last_insert_rowid(connection_); }
  std::int64_t changes() const { return sqlite3_changes64(connection_); }
  /// Rows changed by this connection ever: whether a transaction did anything.
  std::int64_t total_changes() const { return sqlite3_total_changes64(connection_); }
  /// Moves when another connection commits.
  std::int64_t data_version() { return value("PRAGMA data_version").value_or(0); }
  /// Bounds the write-ahead log. With VTX's lock held, outside a transaction; a failure only leaves it longer.
  void checkpoint() noexcept;
  std::size_t wal_pages() const { return wal_pages_; }

  /// How long a call waits for a lock of somebody who does not queue with VTX.
  static constexpr std::chrono::milliseconds kBusyTime{20};

 private:
  sqlite3_stmt* prepared(const char* sql);

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  sqlite3* connection_ = nullptr;
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
  bool sync_ = true;
  std::size_t wal_pages_ = 0;
  std::size_t checkpoint_at_ = 1000;
};

}  // namespace vtx::sqlite
