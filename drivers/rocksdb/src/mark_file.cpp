/* SPDX-License-Identifier: MPL-2.0 */
#include "mark_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace vtx::rocks {
namespace {

// | "vtxrocks" | id, 32 | epoch, 8 | mark, 8 | sum, 8 |, big-endian: within a sector, so that it is written as one.
constexpr std::string_view kMagic = "vtxrocks";
constexpr std::size_t kIdSize = 32;
constexpr std::size_t kSize = 8 + kIdSize + 8 + 8 + 8;

/// FNV-1a.
u64 sum_of(std::string_view bytes) {
  u64 sum = 0xcbf29ce484222325;
  for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return sum;
}

}  // namespace

MarkFile::~MarkFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status MarkFile::open(const std::string& path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ >= 0) return {};
  const int error = errno;
  const Code code = error == ENOSPC || error == EDQUOT ? Code::no_space : Code::denied;
  return {code, path + ": " + std::strerror(error) + "; VTX keeps this file beside the database, make that possible",
          error};
}

Life MarkFile::remembered() const {
  std::array<char, kSize> bytes{};
  if (::pread(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  std::string_view in(bytes.data(), bytes.size());
  const u64 right = sum_of(in.substr(0, kSize - 8));
  if (!in.starts_with(kMagic)) return {};
  Life life{std::string(in.substr(kMagic.size(), kIdSize)), 0, 0};
  in.remove_prefix(kMagic.size() + kIdSize);
  u64 sum = 0;
  if (!take_key(in, life.epoch) || !take_key(in, life.mark) || !take_key(in, sum) || sum != right) return {};
  return life;
}

void MarkFile::remember(const Life& life) const {
  std::string bytes(kMagic);
  bytes += life.id;
  put_key(bytes, life.epoch);
  put_key(bytes, life.mark);
  put_key(bytes, sum_of(bytes));
  [[maybe_unused]] const auto written = ::pwrite(fd_, bytes.data(), bytes.size(), 0);
}

}  // namespace vtx::rocks
