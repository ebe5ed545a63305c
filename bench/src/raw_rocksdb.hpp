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

}  // namespace vtx::bench
