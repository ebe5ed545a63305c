/* SPDX-License-Identifier: MPL-2.0 */
#include "raw.hpp"

#include <zmq.h>

#include <chrono>
#include <cstring>

#include "arena.hpp"
#include "node.hpp"
#include "runs.hpp"

namespace vtx::bench {
namespace {

constexpr int kCheckpointPages = 1000;           // the driver's
constexpr std::uint64_t kHistoryBatch = 10'000;  // messages a commit
constexpr int kSeqBits = 43;                     // migrations/sqlite/0001_init.sql: the key is stream << 43 | sequence

void make_database(const std::string& path, const std::string& retain) {
  Node node(1000);
  (void)node.open(ZMQ_PUSH, endpoint_of(path, retain));
  (void)node.open(ZMQ_PULL, endpoint_of(path, retain));
}

int note_wal(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

Raw::Raw(const std::string& path, const std::string& retain, std::size_t message_size) : body_(message_size, 'x') {
  make_database(path, retain);
  if (sqlite3_open_v2(path.c_str(), &connection_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr) != SQLITE_OK)
    fail("open");
  sqlite3_wal_hook(connection_, note_wal, &wal_pages_);
  if (sqlite3_exec(
          connection_,
          "PRAGMA mmap_size = 0; PRAGMA foreign_keys = OFF; PRAGMA cache_spill = OFF; PRAGMA secure_delete = FAST; "
          "PRAGMA synchronous = FULL; "
          "PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216",
          nullptr, nullptr, nullptr) != SQLITE_OK)
    fail("settings");
  begin_ = prepare("BEGIN IMMEDIATE");
  commit_ = prepare("COMMIT");
  insert_ = prepare(
      "INSERT INTO vtx_message (body, id, stored, expires, frames, properties) VALUES (?, ?, ?, NULL, 1, NULL)");
  read_ = prepare(
      "SELECT id, frames, body, properties, stored, expires FROM vtx_message WHERE id > ? AND id <= ? ORDER BY id");
  advance_ = prepare(
      "INSERT INTO vtx_cursor (grp, stream, next) VALUES (?1, ?2, ?3) ON CONFLICT (grp, stream) DO UPDATE SET next = "
      "?3");
  remove_ = prepare("DELETE FROM vtx_message WHERE id > ? AND id <= ?");
  sqlite3_stmt* ids = prepare(
      "SELECT s.id, g.id FROM vtx_stream s, vtx_group g, vtx_queue q WHERE q.name = 'bench' AND s.queue = q.id AND "
      "g.queue = q.id");
  if (sqlite3_step(ids) != SQLITE_ROW) fail("looking up the queue");
  stream_ = sqlite3_column_int64(ids, 0);
  group_ = sqlite3_column_int64(ids, 1);
  first_row_ = stream_ << kSeqBits;
  sqlite3_reset(ids);
}

Raw::~Raw() {
  for (sqlite3_stmt* statement : statements_) sqlite3_finalize(statement);
  sqlite3_close(connection_);
}

sqlite3_stmt* Raw::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) fail(sql);
  statements_.push_back(statement);
  return statement;
}

void Raw::fail(const char* what) {
  throw Failure(std::string("raw loop: ") + what + ": " + sqlite3_errmsg(connection_));
}

void Raw::step(sqlite3_stmt* statement) {
  if (sqlite3_step(statement) != SQLITE_DONE) fail(sqlite3_sql(statement));
  sqlite3_reset(statement);
}

void Raw::set_sync(bool sync) {
  sqlite3_exec(connection_, sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", nullptr, nullptr,
               nullptr);
}

void Raw::begin() { step(begin_); }

void Raw::commit() {
  step(commit_);
  committed_ = cursor_;
  if (wal_pages_ < kCheckpointPages) return;
  sqlite3_wal_checkpoint_v2(connection_, "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_pages_ = 0;
}

void Raw::insert(std::uint64_t count) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  sqlite3_bind_int64(insert_, 3, std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(body_.data(), &written_, sizeof written_);
    sqlite3_bind_blob64(insert_, 1, body_.data(), body_.size(), SQLITE_STATIC);
    sqlite3_bind_int64(insert_, 2, first_row_ + ++written_);
    step(insert_);
  }
}

void Raw::read(std::uint64_t count) {
  copy_.clear();
  sqlite3_bind_int64(read_, 1, first_row_ + cursor_);
  sqlite3_bind_int64(read_, 2, first_row_ + cursor_ + static_cast<std::int64_t>(count));
  std::uint64_t got = 0;
  while (sqlite3_step(read_) == SQLITE_ROW) {
    const auto* body = static_cast<const std::byte*>(sqlite3_column_blob(read_, 2));
    copy_.insert(copy_.end(), body, body + sqlite3_column_bytes(read_, 2));
    std::int64_t number = 0;
    std::memcpy(&number, body, sizeof number);
    if (number != cursor_) fail("a message came out of turn");
    cursor_ = sqlite3_column_int64(read_, 0) - first_row_;
    ++got;
  }
  sqlite3_reset(read_);
  if (got != count) fail("messages are missing");
}

void Raw::hand_on(std::uint64_t count, void* socket) {
  sqlite3_bind_int64(read_, 1, first_row_ + cursor_);
  sqlite3_bind_int64(read_, 2, first_row_ + cursor_ + static_cast<std::int64_t>(count));
  while (sqlite3_step(read_) == SQLITE_ROW) {
    zmq_msg_t message;
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(read_, 2));
    if (zmq_msg_init_size(&message, size) != 0) fail("no memory");
    std::memcpy(zmq_msg_data(&message), sqlite3_column_blob(read_, 2), size);
    if (zmq_msg_send(&message, socket, 0) < 0) fail("cannot send");
  }
  sqlite3_reset(read_);
  cursor_ += static_cast<std::int64_t>(count);
}

void Raw::advance() {
  sqlite3_bind_int64(advance_, 1, group_);
  sqlite3_bind_int64(advance_, 2, stream_);
  sqlite3_bind_int64(advance_, 3, cursor_ + 1);
  step(advance_);
}

void Raw::remove() {
  sqlite3_bind_int64(remove_, 1, first_row_ + removed_);
  sqlite3_bind_int64(remove_, 2, first_row_ + committed_);
  step(remove_);
  removed_ = committed_;
}

void write_history(const std::string& path, std::uint64_t messages, std::size_t message_size) {
  Raw raw(path, "forever", message_size);
  time_batches(messages, kHistoryBatch, [&](std::uint64_t count) {
    raw.begin();
    raw.insert(count);
    raw.commit();
  });
}

}  // namespace vtx::bench
