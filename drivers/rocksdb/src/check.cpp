/* SPDX-License-Identifier: MPL-2.0 */
//
// What goes wrong with RocksDB directories in practice, looked for on demand. What can be told of any store (groups that lag, dead letters) is
// core's.
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "ledger.hpp"

namespace vtx::rocks {

using driver::Finding;
using Level = driver::Finding::Level;

namespace {

constexpr u64 kLittleSpaceMiB = 256;
/// Damage is rarely alone; people need to know where it begins, and whether it is more than one place.
constexpr int kNamed = 5;

Finding space(const std::string& path) {
  struct statvfs system {};
  if (::statvfs(path.c_str(), &system) != 0)
    return {Level::warning, "disk", "its free space is unknown", "look at it with df"};
  const u64 free = u64{system.f_bavail} * u64{system.f_frsize} >> 20;
  const std::string text = std::to_string(free) + " MiB free";
  if (free >= kLittleSpaceMiB) return {Level::ok, "disk", text, ""};
  return {Level::warning, "disk", text, "free space: a full disk blocks senders"};
}

Finding permissions(const std::string& path) {
  struct stat place {};
  if (::stat(path.c_str(), &place) != 0 || (place.st_mode & 077) == 0)
    return {Level::ok, "permissions", "for its owner only", ""};
  return {Level::warning, "permissions", "others than its owner may look into " + path + ": they can read messages",
          "chmod 700 " + path + " unless that is meant"};
}

Finding files(const Disk& disk) {
  const Status status = disk.verify();
  if (status.ok()) return {Level::ok, "files", "all checksums are right", ""};
  return {Level::error, "files", status.text(), "restore the directory from a backup, or trim what is damaged"};
}

}  // namespace

/// Reads every message, as consumers would; after a damaged batch it goes on behind it.
Finding Ledger::check_streams() const {
  u64 readable = 0;
  int damaged = 0;
  std::string text;
  for (const auto& [id, stream] : books_.streams.all()) {
    Seq from = stream.tail;
    while (from <= stream.head && stream.count > 0 && damaged < kNamed) {
      try {
        log_.walk(stream, from, stream.head, [&](const StoredMessage& message) {
          ++readable;
          from = message.seq + 1;
          return true;
        });
        break;
      } catch (const DiskError& error) {
        const QueueRow& queue = books_.queues.at(stream.queue);
        if (damaged++ > 0) text += "; ";
        text += "queue '" + queue.name + "', " + stream.kind + ", from sequence " + std::to_string(from) +
                " on: " + error.status.text();
        break;
      }
    }
  }
  if (damaged == 0) return {Level::ok, "messages", std::to_string(readable) + " can be read", ""};
  return {Level::error, "messages", std::to_string(readable) + " can be read; " + text,
          "vtx trim the queue behind the damage, or restore a backup"};
}

Completion Ledger::run(const driver::Check&) {
  Completion answer;
  answer.findings.push_back({Level::ok, "RocksDB version", Disk::version(), ""});
  answer.findings.push_back(space(disk_.named()));
  answer.findings.push_back(permissions(disk_.named()));
  answer.findings.push_back(files(disk_));
  answer.findings.push_back(check_streams());
  return answer;
}

}  // namespace vtx::rocks
