/* SPDX-License-Identifier: MPL-2.0 */
//
// Beginning a session: what can be judged without the lock first, then creation and migration in turn with other processes.
//
// An existing database is never opened and closed here by other means than SQLite: that would drop the locks which SQLite holds in this process.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "migrations.hpp"
#include "store.hpp"

namespace vtx::sqlite {
namespace {

struct Network {
  unsigned long magic;
  const char* name;
};
constexpr Network kNetworks[] = {{0x6969, "NFS"},     {0x517b, "SMB"},      {0xff534d42, "CIFS"}, {0xfe534d42, "SMB2"},
                                 {0x5346414f, "AFS"}, {0x73757245, "Coda"}, {0x01021997, "9P"},   {0x00c36400, "Ceph"}};

Status check_directory(const std::string& directory) {
  struct stat found {};
  if (stat(directory.c_str(), &found) != 0) {
    if (errno == EACCES) return {Code::denied, "no permission to enter the directory of " + directory, EACCES};
    return {Code::not_found, "no such directory: " + directory + "; create it first", errno};
  }
  if (!S_ISDIR(found.st_mode)) return {Code::not_found, directory + " is no directory", ENOTDIR};
  struct statfs system {};
  if (statfs(directory.c_str(), &system) != 0) return {};
  const auto magic = static_cast<unsigned long>(system.f_type) & 0xffffffffUL;
  for (const auto& network : kNetworks)
    if (magic == network.magic)
      return {Code::unsupported, directory + " is on " + network.name +
                                     ", a network file system, where SQLite's locks do not hold; use a local disk"};
  return {};
}

/// To whom this process acts as, which is the one that opens; not to whom it was started by.
bool allows(const std::string& path, int mode) { return faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0; }

// SQLite would give 0644; -wal, -shm and -vtx take their permissions from this file.
Status create_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    fchmod(fd, 0600);
    ::close(fd);
    return {};
  }
  if (errno == EEXIST) return {};  // another process was quicker
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  return {full ? Code::no_space : Code::denied, "cannot create " + path + ": " + std::strerror(error), error};
}

std::array<int, 3> version_of(std::string_view text) {
  std::array<int, 3> version{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (auto& part : version) {
    at = std::from_chars(at, end, part).ptr;
    if (at != end) ++at;
  }
  return version;
}

Result<int> flags_of(const driver::Endpoint& endpoint, bool& create) {
  int flags = SQLITE_OPEN_READWRITE;
  for (const auto& [name, value] : endpoint.options) {
    if (name == "mode" && (value == "rw" || value == "rwc"))
      create = create && value == "rwc";
    else if (name == "cache" && (value == "private" || value == "shared"))
      flags |= value == "shared" ? SQLITE_OPEN_SHAREDCACHE : SQLITE_OPEN_PRIVATECACHE;
    else if (name == "mode")
      return fail(Code::invalid, "mode=" + value + ": a store is opened with rwc or rw");
    else if (name == "cache")
      return fail(Code::invalid, "cache=" + value + ": private or shared");
    else if (name == "vfs" && !sqlite3_vfs_find(value.c_str()))
      return fail(Code::invalid, "vfs=" + value + ": no such SQLite VFS is registered");
  }
  return flags;
}

Status read_only(const std::string& path) {
  return {Code::denied, path + " is read-only; make the file and its directory writable for this user"};
}

}  // namespace

Status SqliteStore::open(const driver::Endpoint& endpoint, bool create) {
  path_ = endpoint.path;
  if (path_ == ":memory:" || endpoint.authority == ":memory:")
    return {Code::invalid, "a database in memory cannot be shared, nor be there tomorrow; name a file"};
  if (endpoint.has_authority && !endpoint.authority.empty())
    return {Code::invalid,
            "a SQLite database has no host '" + endpoint.authority + "'; write sqlite:///absolute/path or sqlite:path"};
  if (path_.empty()) return {Code::invalid, "no path; write sqlite:///absolute/path or sqlite:path"};
  try {
    if (auto status = open_file(endpoint, create); !status.ok()) return status;
    if (auto status = check_schema(); !status.ok()) return status;
  } catch (const SqliteError& error) {
    return translate(error, path_);
  }
  if (schema_ == 0 && !create)
    return {Code::not_found,
            path_ + " has no VTX tables yet; the first program that binds or connects makes them, or `vtx migrate`"};
  auto side = SideFile::open(path_);
  if (!side) return side.error();
  side_ = std::move(*side);
  lock_ = std::make_unique<driver::FileLock>(side_->file());
  if (!lock_->is_valid()) return {Code::no_space, "no file descriptors left; raise the limit (ulimit -n)"};
  listen(lock_->fd(), true);
  state_ = State::opening;
  return {};
}

Status SqliteStore::open_file(const driver::Endpoint& endpoint, bool create) {
  const auto flags = flags_of(endpoint, create);
  if (!flags) return flags.error();
  const auto directory = std::filesystem::path(path_).parent_path();
  if (auto status = check_directory(directory.empty() ? "." : directory.string()); !status.ok()) return status;
  struct stat file {};
  if (stat(path_.c_str(), &file) != 0) {
    if (errno == EACCES) return {Code::denied, "no permission to reach " + path_, EACCES};
    if (!create) return {Code::not_found, "no such database: " + path_, ENOENT};
    if (auto status = create_file(path_); !status.ok()) return status;
  } else if (S_ISDIR(file.st_mode)) {
    return {Code::invalid, path_ + " is a directory; name a file in it"};
  } else if (!S_ISREG(file.st_mode)) {
    return {Code::invalid, path_ + " is no regular file, as a database must be; name another"};
  } else if (!allows(path_, R_OK)) {
    return {Code::denied, path_ + " is not readable for this user; make it so, and writable", EACCES};
  } else if (!allows(path_, W_OK)) {
    // Looked at before SQLite does: it would make -wal and -shm with the file's own mode, and they would outlast a chmod.
    return read_only(path_);
  }
  const auto vfs = endpoint.options.find("vfs");
  database_.open(path_, *flags, vfs == endpoint.options.end() ? nullptr : vfs->second.c_str());
  path_ = sqlite3_db_filename(database_.raw(), "main");
  if (stat(path_.c_str(), &file) != 0) return {Code::lost, path_ + " has gone", errno};
  inode_ = file.st_ino;
  // SQLite falls back to reading.
  if (sqlite3_db_readonly(database_.raw(), "main") == 1) return read_only(path_);
  return {};
}

/// Sets schema_; newer_schema when that schema has left this library behind.
Status SqliteStore::check_schema() {
  const int before = schema_;
  schema_ = 0;
  if (!database_.value("SELECT 1 FROM sqlite_schema WHERE name = 'vtx_store'")) {
    if (state_ == State::live && before > 0)
      return {Code::corrupt, path_ + ": the VTX tables were removed; restore them from a backup"};
    return {};
  }
  auto rows = database_.query("SELECT schema, oldest_library FROM vtx_store");
  if (!rows.next()) return {Code::corrupt, path_ + ": table vtx_store is empty; restore it from a backup"};
  schema_ = static_cast<int>(rows.integer(0));
  const std::string oldest(rows.text(1));
  if (version_of(VTX_VERSION_TEXT) < version_of(oldest))
    return {Code::newer_schema, path_ + " has schema " + std::to_string(schema_) + ", which needs VTX " + oldest +
                                    " or newer; this is VTX " VTX_VERSION_TEXT ": upgrade it"};
  return {};
}

/// With the lock. A failure that may pass ends the session, others fail start() if that is still running.
Status SqliteStore::finish_open() {
  try {
    Rows mode = database_.query("PRAGMA journal_mode = WAL");
    if (!mode.next() || mode.text(0) != "wal")
      return {Code::unsupported,
              path_ + " cannot use write-ahead logging, which VTX needs; choose another vfs or file system"};
    mode.reset();
    database_.execute("PRAGMA journal_size_limit = 16777216");
    if (!database_.begin()) return {Code::busy, path_ + " is locked by another program; VTX tries again"};
    if (auto status = check_schema(); !status.ok()) return status;
    migrate();
    const bool went_back = begin_epoch_if_it_went_back();
    life_ = read_life();
    database_.run("COMMIT");
    remember_life();
    begin_session(went_back);
  } catch (const SqliteError& error) {
    database_.rollback();
    return translate(error, path_);
  }
  lock_->unlock();
  return state_ == State::live ? Status() : Status(Code::busy, path_ + ": all slots of its -vtx file are in use");
}

void SqliteStore::migrate() {
  const auto all = migrations();
  for (auto next = static_cast<std::size_t>(schema_); next < all.size(); ++next) database_.execute(all[next]);
  schema_ = std::max(schema_, static_cast<int>(all.size()));
}

void SqliteStore::begin_session(bool went_back) {
  const auto slot = side_->take_slot();
  if (!slot) return;
  slot_ = *slot;
  bell_ = std::make_unique<Doorbell>();
  side_->begin_listener(slot_, bell_->address());
  listen(bell_->fd(), true);
  watch_.start(path_ + "-wal", clock_.now());
  state_ = State::live;
  Completion opened;
  opened.event = driver::Event::opened;
  opened.epoch = life_.name;
  opened.went_back = went_back;
  done_.push_back(std::move(opened));
}

}  // namespace vtx::sqlite
