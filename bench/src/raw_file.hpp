/* SPDX-License-Identifier: MPL-2.0 */
//
// What a disk can do at all: the plainest program that keeps messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace vtx::bench {

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
