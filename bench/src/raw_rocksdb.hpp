/* SPDX-License-Identifier: MPL-2.0 */
//
// The other side of a comparison with the RocksDB driver: the loop that a program would write for itself, with the driver's layout (a batch of messages
// under one key, and the rows of books that a commit changes) and the settings that matter (drivers/rocksdb/src/disk.cpp). It has no locks, claims, holders or acknowledgements.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace vtx::bench {

/// One thread.
class RawRocks {
 public:
  RawRocks(const std::string& path, std::size_t message_size);
  ~RawRocks();
  RawRocks(const RawRocks&) = delete;
  RawRocks& operator=(const RawRocks&) = delete;

  /// Appends numbered messages, all in one synced write.
  void append(std::uint64_t count);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// An append-only file with one `fdatasync` a batch: what a disk can do at all. One thread.
class RawFile {
 public:
  RawFile(const std::string& path, std::size_t message_size);
  ~RawFile();
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  void append(std::uint64_t count);
  /// Only what append() does of one message at its end, with a byte of its own before it.
  void sync_one();

 private:
  void write(const char* data, std::size_t size) const;

  int fd_;
  std::uint64_t written_ = 0;
  std::string body_, batch_;
};

}  // namespace vtx::bench
