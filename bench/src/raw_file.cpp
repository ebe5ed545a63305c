/* SPDX-License-Identifier: MPL-2.0 */
#include "raw_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "arena.hpp"

namespace vtx::bench {

RawFile::RawFile(const std::string& path, std::size_t message_size)
    : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)), body_(message_size, 'x') {
  if (fd_ < 0) throw Failure("raw file " + path + ": " + std::strerror(errno));
}

RawFile::~RawFile() { close(fd_); }

void RawFile::write(const char* data, std::size_t size) const {
  while (size > 0) {
    const ssize_t wrote = ::write(fd_, data, size);
    if (wrote < 0) throw Failure(std::string("raw file: ") + std::strerror(errno));
    data += wrote;
    size -= static_cast<std::size_t>(wrote);
  }
  if (fdatasync(fd_) != 0) throw Failure(std::string("raw file: ") + std::strerror(errno));
}

void RawFile::append(std::uint64_t count) {
  batch_.clear();
  for (std::uint64_t i = 0; i < count; ++i, ++written_) {
    std::memcpy(body_.data(), &written_, sizeof written_);
    batch_ += body_;
  }
  write(batch_.data(), batch_.size());
}

void RawFile::sync_one() { write(body_.data(), body_.size()); }

}  // namespace vtx::bench
