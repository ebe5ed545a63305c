/* SPDX-License-Identifier: MPL-2.0 */
//
// A RocksDB database as the rest of the driver sees it: three key spaces, one growing batch of changes, cursors with both bounds set. The only
// file beside disk.cpp that knows RocksDB knows it by this header.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vtx/driver/status.hpp"

namespace vtx::rocks {

/// What RocksDB or the system refused. Thrown inside the driver only: no exception leaves it.
struct DiskError : std::exception {
  explicit DiskError(Status what, bool was_writing = false) : status(std::move(what)), writing(was_writing) {}
  const char* what() const noexcept override { return status.text().c_str(); }
  Status status;
  bool writing;  ///< nobody knows what the disk has now; otherwise something could not be read
};

/// Options of an endpoint that are this driver's own, see vtx/drivers/rocksdb.h.
struct Tuning {
  std::size_t memtable_bytes = std::size_t{64} << 20;
  std::string compression = "none";
};

enum class Family { books, messages, delayed };
inline constexpr int kFamilies = 3;

/// Keys of [from, to).
struct KeyRange {
  std::string from;
  std::string to;
};

/// In the books, and its value in a database of this library's making. A higher one is a newer VTX's.
inline constexpr std::string_view kFormatKey = "format";
inline constexpr int kFormat = 1;

/// One thread at a time, but for sync_log(). Whatever reads sees what was written, not what still waits in the batch.
class Disk {
 public:
  /// Opens the database in the open directory `fd`, or makes one there.
  /// @param fd     borrowed while the Disk lives: whatever happens to the directory's name, this directory is meant
  /// @param named  how it is called in errors
  static Result<std::unique_ptr<Disk>> open(int fd, const std::string& named, const Tuning& tuning);
  /// Whether there is a database in the directory, and one of VTX that this library understands. Changes nothing there.
  /// @return false: none yet. Fails with corrupt (somebody else's), newer_schema.
  static Result<bool> probe(int fd, const std::string& named);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  void put(Family family, std::string_view key, std::string_view value);
  /// Likewise; the value is the parts one after the other.
  void put(Family family, std::string_view key, std::span<const std::string_view> parts);
  void erase(Family family, std::string_view key);
  void erase(Family family, const KeyRange& range);

  /// True while the batch has something in it.
  bool is_dirty() const;
  std::size_t waiting_bytes() const;
  /// Writes the batch as one, and begins a new one. Throws; what then is on disk is unknown until it is opened again.
  void write(bool sync);
  /// Makes sure that what was written is on disk. Throws.
  void sync();
  /// Likewise, all that was written before the call; in any thread, while others write.
  void sync_log() const;

  std::optional<std::string> get(Family family, std::string_view key) const;
  /// All of this range was erased, and that was written: deletes the files that hold nothing else, and has the others rewritten in the background.
  void reclaim(Family family, const KeyRange& range);
  /// Reads all files and compares their checksums. Takes as long as that takes.
  Status verify() const;
  const std::string& named() const;
  static std::string version();

  /// Ends background work at once, even in a directory that is another's by now.
  void stop_background();

  struct Parts;

 private:
  explicit Disk(std::unique_ptr<Parts> parts);
  friend class Cursor;
  std::unique_ptr<Parts> parts_;
};

/// A look at what is in a range, at one moment. Outlived by the Disk. Moving throws DiskError; corrupt names the file.
class Cursor {
 public:
  Cursor(const Disk& disk, Family family, KeyRange range);
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  /// To the first key at or behind `key`.
  void seek(std::string_view key);
  void next();
  bool valid() const;
  std::string_view key() const;  ///< until it moves
  std::string_view value() const;

 private:
  struct Parts;
  void check() const;
  std::unique_ptr<Parts> parts_;
};

}  // namespace vtx::rocks
