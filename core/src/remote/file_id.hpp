/* SPDX-License-Identifier: MPL-2.0 */
//
// Which file or directory it is, however it is called: names are moved, removed and given to others while somebody has it open.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace vtx::remote {

/// As all processes of this machine see it. As long as anybody has the file open, no other one gets these numbers.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  /// False: of no file.
  bool known() const { return inode != 0; }
  bool operator==(const FileId&) const = default;
};

/// Of what a path leads to; unknown when that is nothing, or cannot be looked at.
/// @param flags  AT_SYMLINK_NOFOLLOW: a link itself
inline FileId file_at(const std::string& path, int flags = 0) {
  struct stat is {};
  if (::fstatat(AT_FDCWD, path.c_str(), &is, flags) != 0) return {};
  return {is.st_dev, is.st_ino};
}

}  // namespace vtx::remote
