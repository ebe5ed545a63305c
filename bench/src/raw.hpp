/* SPDX-License-Identifier: MPL-2.0 */
//
// The other side of a comparison: the loop that a program would write for itself, straight against SQLite. It works on a database
// that VTX made, so schema and page size are the same, with the driver's settings (drivers/sqlite/src/database.cpp) and prepared
// statements, and writes the same message rows. It has no locks, claims, holders or acknowledgements.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace vtx::bench {

/// One thread.
class Raw {
 public:
  /// Makes the database by VTX, with its queue and group, and opens it.
  Raw(const std::string& path, const std::string& retain, std::size_t message_size);
  ~Raw();
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;

  /// Commits wait for the disk (the default), or do not, as settlements.
  void set_sync(bool sync);
  void begin();
  /// And a checkpoint when the log has grown as long as the driver lets it.
  void commit();

  /// Appends numbered messages.
  void insert(std::uint64_t count);
  /// Reads as many from the cursor on, copies their bodies, and moves the cursor.
  void read(std::uint64_t count);
  /// Reads as many and sends each to the socket.
  void hand_on(std::uint64_t count, void* socket);
  /// Moves the cursor durably written to where read() came.
  void advance();
  /// Removes what earlier transactions had read: what is removed by the one that inserted it would never reach the disk.
  void remove();

 private:
  sqlite3_stmt* prepare(const char* sql);
  void step(sqlite3_stmt* statement);
  [[noreturn]] void fail(const char* what);

  sqlite3* connection_ = nullptr;
  std::vector<sqlite3_stmt*> statements_;
  sqlite3_stmt *begin_ = nullptr, *commit_ = nullptr, *insert_ = nullptr, *read_ = nullptr, *advance_ = nullptr,
               *remove_ = nullptr;
  std::int64_t first_row_ = 0;  ///< the rowid of sequence 0 of the stream
  std::int64_t group_ = 0;
  std::int64_t stream_ = 0;
  std::int64_t written_ = 0;
  std::int64_t cursor_ = 0;     ///< sequence read last
  std::int64_t committed_ = 0;  ///< the cursor as of the latest commit
  std::int64_t removed_ = 0;
  std::string body_;
  std::vector<std::byte> copy_;
  int wal_pages_ = 0;
};

/// Messages to be read, in a database that it makes at `path`.
void write_history(const std::string& path, std::uint64_t messages, std::size_t message_size);

}  // namespace vtx::bench
