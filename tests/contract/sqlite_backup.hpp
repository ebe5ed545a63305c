/* SPDX-License-Identifier: MPL-2.0 */
//
// Backups of a SQLite database as people make and restore them, by SQLite's backup API, under programs at work.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <functional>
#include <string>

namespace vtx::test {

/// Copies all of a database into another, which may be in use.
inline void copy_database(const std::string& from, const std::string& to) {
  sqlite3* source = nullptr;
  sqlite3* target = nullptr;
  ASSERT_EQ(sqlite3_open(from.c_str(), &source), SQLITE_OK);
  ASSERT_EQ(sqlite3_open(to.c_str(), &target), SQLITE_OK);
  sqlite3_busy_timeout(target, 20'000);
  sqlite3_busy_timeout(source, 20'000);
  int result = SQLITE_BUSY;
  for (int tries = 0; tries < 1000 && (result == SQLITE_BUSY || result == SQLITE_LOCKED); ++tries) {
    sqlite3_backup* copy = sqlite3_backup_init(target, "main", source, "main");
    ASSERT_NE(copy, nullptr) << sqlite3_errmsg(target);
    sqlite3_backup_step(copy, -1);
    result = sqlite3_backup_finish(copy);
    if (result != SQLITE_OK) sqlite3_sleep(10);
  }
  EXPECT_EQ(result, SQLITE_OK) << sqlite3_errmsg(target);
  sqlite3_close(source);
  sqlite3_close(target);
}

/// Makes a backup beside the database; what it returns restores it.
inline std::function<void()> back_up_database(const std::string& path) {
  copy_database(path, path + ".backup");
  return [path] { copy_database(path + ".backup", path); };
}

}  // namespace vtx::test
