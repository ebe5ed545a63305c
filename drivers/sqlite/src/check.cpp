/* SPDX-License-Identifier: MPL-2.0 */
//
// What goes wrong with SQLite queues in practice, looked for on demand.
#include <sys/stat.h>
#include <sys/vfs.h>

#include "store.hpp"

namespace vtx::sqlite {
namespace {

using Level = driver::Finding::Level;

constexpr off_t kLongLog = off_t{64} * 1024 * 1024;

// https://www.sqlite.org/changes.html, 3.51.3: resetting the log could race with another connection's checkpoint.
bool has_reset_defect(int version) { return version < 3051003 && version != 3050007 && version != 3044006; }

driver::Finding library_finding() {
  const std::string version = sqlite3_libversion();
  if (!has_reset_defect(sqlite3_libversion_number())) return {Level::ok, "SQLite version", version, ""};
  return {Level::warning, "SQLite version",
          version + " may corrupt a database when two connections checkpoint at the same moment; VTX's own never do",
          "in programs that send by SQL run PRAGMA wal_autocheckpoint=0, or use SQLite 3.51.3, 3.50.7 or 3.44.6"};
}

driver::Finding log_finding(const std::string& path) {
  struct stat file {};
  const off_t size = stat((path + "-wal").c_str(), &file) == 0 ? file.st_size : 0;
  const std::string text = std::to_string(size / 1024) + " KiB";
  if (size < kLongLog) return {Level::ok, "write-ahead log", text, ""};
  return {Level::warning, "write-ahead log", text,
          "a reader keeps it from being begun anew: end long transactions of other programs"};
}

driver::Finding permission_finding(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0 || (file.st_mode & 077) == 0)
    return {Level::ok, "permissions", "for its owner only", ""};
  return {Level::warning, "permissions", "others than its owner may open " + path,
          "chmod 600 " + path + " unless that is meant"};
}

driver::Finding space_finding(const std::string& path) {
  struct statfs system {};
  if (statfs(path.c_str(), &system) != 0)
    return {Level::warning, "disk", "its free space is unknown", "look at it with df"};
  const auto free =
      static_cast<unsigned long long>(system.f_bavail) * static_cast<unsigned long long>(system.f_bsize) / 1048576;
  if (free >= 256) return {Level::ok, "disk", std::to_string(free) + " MiB free", ""};
  return {Level::warning, "disk", std::to_string(free) + " MiB free", "free space: a full disk blocks senders"};
}

}  // namespace

void SqliteStore::apply(const driver::Check&, Completion& out) {
  auto& findings = out.findings;
  findings.push_back(library_finding());
  {
    auto rows = database_.query("PRAGMA journal_mode");
    const std::string mode(rows.next() ? rows.text(0) : "");
    const bool good = mode == "wal";
    findings.push_back(
        {good ? Level::ok : Level::error, "journal mode", mode, good ? "" : "PRAGMA journal_mode = WAL"});
  }
  findings.push_back(log_finding(path_));
  findings.push_back(permission_finding(path_));
  findings.push_back(space_finding(path_));
  findings.push_back({Level::ok, "schema", std::to_string(schema_), ""});
  {
    auto rows = database_.query("PRAGMA quick_check(1)");
    const std::string text(rows.next() ? rows.text(0) : "no answer");
    const bool good = text == "ok";
    findings.push_back({good ? Level::ok : Level::error, "integrity", text,
                        good ? "" : "stop all programs that use it and restore a backup, or run sqlite3's .recover"});
  }
  const auto dead = database_.value(
      "SELECT count(*) FROM vtx_queue q JOIN vtx_stream s ON s.queue = q.id JOIN vtx_message m ON m.id >= s.id << 43 "
      "AND m.id < (s.id + 1) << 43 WHERE q.name GLOB '*.dead'");
  findings.push_back({dead.value_or(0) ? Level::warning : Level::ok, "dead letters", std::to_string(dead.value_or(0)),
                      dead.value_or(0) ? "look at them with vtx dead list; give them back or drop them" : ""});
}

}  // namespace vtx::sqlite
