/* SPDX-License-Identifier: MPL-2.0 */
//
// What goes wrong with SQLite queues in practice, looked for on demand. Each finding is a function. What can be told of any store (groups that
// lag, dead letters) is core's.
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "store.hpp"

namespace vtx::sqlite {
namespace {

using driver::Finding;
using Level = driver::Finding::Level;

constexpr off_t kLongLog = off_t{64} * 1024 * 1024;
constexpr unsigned long long kLittleSpaceMiB = 256;
constexpr std::int64_t kClockSlackMs = 2000;
constexpr std::int64_t kFarAheadMs = std::int64_t{8} * 24 * 3600 * 1000;  // no message is given back for so long

// https://www.sqlite.org/changes.html, 3.51.3: resetting the log could race with another connection's checkpoint.
bool has_reset_defect(int version) { return version < 3051003 && version != 3050007 && version != 3044006; }

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

Finding library() {
  const std::string version = sqlite3_libversion();
  if (!has_reset_defect(sqlite3_libversion_number())) return {Level::ok, "SQLite version", version, ""};
  return {Level::warning, "SQLite version",
          version + " may corrupt a database when two connections checkpoint at the same moment; VTX's own never do",
          "in programs that send by SQL run PRAGMA wal_autocheckpoint=0, or use SQLite 3.51.3, 3.50.7 or 3.44.6"};
}

Finding journal(Database& database) {
  auto rows = database.query("PRAGMA journal_mode");
  const std::string mode(rows.next() ? rows.text(0) : "");
  if (mode == "wal") return {Level::ok, "journal mode", mode, ""};
  return {Level::error, "journal mode", mode, "PRAGMA journal_mode = WAL"};
}

Finding log(const std::string& path) {
  struct stat file {};
  const off_t size = stat((path + "-wal").c_str(), &file) == 0 ? file.st_size : 0;
  const std::string text = std::to_string(size / 1024) + " KiB";
  if (size < kLongLog) return {Level::ok, "write-ahead log", text, ""};
  return {Level::warning, "write-ahead log", text,
          "a reader keeps it from being begun anew: end long transactions of other programs"};
}

/// Network file systems are refused on opening; these are not, but promise less than a disk.
Finding file_system(const std::string& path) {
  struct Kind {
    unsigned long magic;
    const char* name;
    const char* remedy;  ///< null: good
  };
  constexpr const char* kMemory = "it is in memory: nothing survives a restart of the machine; use a disk";
  constexpr const char* kForeign = "locks and syncs are as good as the program behind it; use a local disk";
  static constexpr std::array kKinds{Kind{0xef53, "ext4", nullptr},      Kind{0x58465342, "XFS", nullptr},
                                     Kind{0x9123683e, "Btrfs", nullptr}, Kind{0x2fc12fc1, "ZFS", nullptr},
                                     Kind{0xf2f52010, "F2FS", nullptr},  Kind{0x794c7630, "overlay", nullptr},
                                     Kind{0x01021994, "tmpfs", kMemory}, Kind{0x858458f6, "ramfs", kMemory},
                                     Kind{0x65735546, "FUSE", kForeign}, Kind{0x786f4256, "VirtualBox share", kForeign},
                                     Kind{0x4d44, "FAT", kForeign},      Kind{0x2011bab0, "exFAT", kForeign}};
  struct statfs system {};
  if (statfs(path.c_str(), &system) != 0)
    return {Level::warning, "file system", "its kind is unknown", "look at it with df -T"};
  const auto magic = static_cast<unsigned long>(system.f_type) & 0xffffffffUL;
  const auto found = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) { return kind.magic == magic; });
  if (found == kKinds.end()) return {Level::ok, "file system", "another local one", ""};
  return {found->remedy ? Level::warning : Level::ok, "file system", found->name, found->remedy ? found->remedy : ""};
}

Finding space(const std::string& path) {
  struct statfs system {};
  if (statfs(path.c_str(), &system) != 0)
    return {Level::warning, "disk", "its free space is unknown", "look at it with df"};
  const auto free =
      static_cast<unsigned long long>(system.f_bavail) * static_cast<unsigned long long>(system.f_bsize) / 1048576;
  const std::string text = std::to_string(free) + " MiB free";
  if (free >= kLittleSpaceMiB) return {Level::ok, "disk", text, ""};
  return {Level::warning, "disk", text, "free space: a full disk blocks senders"};
}

Finding permissions(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0 || (file.st_mode & 077) == 0)
    return {Level::ok, "permissions", "for its owner only", ""};
  return {Level::warning, "permissions",
          "others than its owner may open " + path + " (mode " + octal(file.st_mode) + "): they can read every message",
          "chmod 600 " + path + " unless that is meant"};
}

/// The files beside the database, which one of another user's programs may have made.
Finding companions(const std::string& path) {
  struct stat main {};
  if (stat(path.c_str(), &main) != 0) return {Level::ok, "files beside it", "unknown", ""};
  std::string odd;
  for (const char* ending : {"-wal", "-shm", "-vtx"}) {
    struct stat file {};
    if (stat((path + ending).c_str(), &file) != 0) continue;
    if (file.st_uid != main.st_uid || file.st_gid != main.st_gid || ((file.st_mode ^ main.st_mode) & 0666) != 0)
      odd += (odd.empty() ? "" : ", ") + path + ending + " (" + std::to_string(file.st_uid) + ":" +
             std::to_string(file.st_gid) + ", mode " + octal(file.st_mode) + ")";
  }
  if (odd.empty()) return {Level::ok, "files beside it", "owner and mode as the database's", ""};
  return {Level::warning, "files beside it",
          odd + " differ from the database (" + std::to_string(main.st_uid) + ":" + std::to_string(main.st_gid) +
              ", mode " + octal(main.st_mode) + "): some of its users cannot open them",
          "end all programs that use it; then give them the database's owner and mode"};
}

Finding directory(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  struct stat found {};
  if (stat(parent.c_str(), &found) != 0 || (found.st_mode & S_IWOTH) == 0 || (found.st_mode & S_ISVTX) != 0)
    return {Level::ok, "directory", "not open to everybody", ""};
  return {Level::warning, "directory",
          "everybody may write to " + parent + " (mode " + octal(found.st_mode) + ") and so replace the database",
          "chmod o-w " + parent};
}

Finding damage(const std::string& text) {
  return {Level::error, "integrity", text,
          "stop all programs that use it and restore a backup, or run sqlite3's .recover"};
}

Finding integrity(Database& database) {
  auto rows = database.query("PRAGMA quick_check(1)");
  const std::string text(rows.next() ? rows.text(0) : "no answer");
  return text == "ok" ? Finding{Level::ok, "integrity", text, ""} : damage(text);
}

/// Times in a stream never go back, so one written while the clock was ahead stamps all that follow.
Finding clock(Database& database, StoreTime now) {
  const std::int64_t present = now.time_since_epoch().count();
  const auto newest = database.value(
      "SELECT max(max(s.stored, ifnull((SELECT stored FROM vtx_message WHERE id >= s.id << 43 AND id < (s.id + 1) << "
      "43 ORDER BY id DESC LIMIT 1), 0))) FROM vtx_stream s");
  if (newest && *newest > present + kClockSlackMs)
    return {Level::warning, "clock",
            "the newest message was stored " + std::to_string((*newest - present) / 1000) +
                " s ahead of this machine's clock",
            "set the clock right; until it has caught up, what is sent is stamped with that time: ages, ttl and "
            "time: go by it"};
  const auto late = database.value("SELECT count(*) FROM vtx_retry WHERE due > ?", present + kFarAheadMs).value_or(0);
  if (late > 0)
    return {Level::warning, "clock",
            std::to_string(late) + " ranges of messages are to come again only in more than a week",
            "the clock was ahead when they were given back: vtx groups seek lets their group begin anew"};
  return {Level::ok, "clock", "as the messages'", ""};
}

}  // namespace

/// In a damaged database any of the questions may fail; what the others found is told all the same.
void SqliteStore::apply(const driver::Check&, Completion& out) {
  auto& findings = out.findings;
  findings = {library(),          log(path_),        file_system(path_), space(path_),
              permissions(path_), companions(path_), directory(path_)};
  findings.push_back({Level::ok, "schema", std::to_string(schema_), ""});
  try {
    findings.push_back(journal(database_));
    findings.push_back(
        {Level::ok, "epoch", std::to_string(database_.value("SELECT epoch FROM vtx_store").value_or(0)), ""});
    findings.push_back(integrity(database_));
    if (findings.back().level != Level::ok) return;
    findings.push_back(clock(database_, clock_.wall()));
    findings.push_back(abandoned_claims());
  } catch (const SqliteError& error) {
    const Status status = translate(error, path_);
    if (status.code() != Code::corrupt) throw;
    findings.push_back(damage(status.text()));
  }
}

/// Whoever consumes next takes them over. Nobody does: then their messages wait.
driver::Finding SqliteStore::abandoned_claims() {
  std::size_t claims = 0;
  std::size_t dead = 0;
  auto rows = database_.query(
      "SELECT c.holder, ifnull(h.slot, -1), count(*) FROM vtx_claim c LEFT JOIN vtx_holder h ON h.id = c.holder GROUP "
      "BY c.holder");
  while (rows.next()) {
    if (!side_->look(static_cast<driver::u32>(rows.integer(1)), rows.number(0)).dead) continue;
    ++dead;
    claims += rows.number(2);
  }
  if (dead == 0) return {Level::ok, "claims", "none of consumers that died", ""};
  return {Level::warning, "claims",
          std::to_string(claims) + " of " + std::to_string(dead) + " consumers that died wait to be taken over",
          "start a consumer: any one of this database takes them over at once"};
}

}  // namespace vtx::sqlite
