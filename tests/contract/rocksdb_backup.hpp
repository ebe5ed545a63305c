/* SPDX-License-Identifier: MPL-2.0 */
//
// Backups of a RocksDB directory as people make and restore them: its files are copied, and the copy takes its place, under programs at work.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>

namespace vtx::test {

/// Makes a backup beside the database; what it returns restores it.
inline std::function<void()> back_up_directory(const std::string& path) {
  namespace fs = std::filesystem;
  static int last = 0;
  const std::string backup = path + ".backup" + std::to_string(++last);
  fs::copy(path, backup, fs::copy_options::recursive);
  return [path, backup] {
    const std::string restored = backup + ".restored";
    fs::copy(backup, restored, fs::copy_options::recursive);
    fs::rename(path, path + ".old" + std::to_string(++last));
    fs::rename(restored, path);
  };
}

}  // namespace vtx::test
