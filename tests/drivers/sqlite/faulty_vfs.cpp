/* SPDX-License-Identifier: MPL-2.0 */
#include "faulty_vfs.hpp"

#include <signal.h>
#include <sqlite3.h>

#include <map>

namespace vtx::sqlite::test {
namespace {

struct Wrapped {
  sqlite3_io_methods methods;
  const sqlite3_io_methods* real;
};

// One wrapper per table of the real VFS and kind of file. One thread uses it.
std::map<std::pair<const sqlite3_io_methods*, bool>, Wrapped> wrappers;

const Wrapped* wrapper_of(sqlite3_file* file, bool& log) {
  for (const auto& [key, wrapped] : wrappers)
    if (&wrapped.methods == file->pMethods) {
      log = key.second;
      return &wrapped;
    }
  return nullptr;
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  bool log = false;
  const auto* wrapped = wrapper_of(file, log);
  if (faults().writes_to_death > 0 && --faults().writes_to_death == 0) {
    // Half of it gets out.
    wrapped->real->xWrite(file, bytes, size / 2, at);
    raise(SIGKILL);
  }
  if (log && faults().write_result != SQLITE_OK) return faults().write_result;
  return wrapped->real->xWrite(file, bytes, size, at);
}

int sync(sqlite3_file* file, int flags) {
  bool log = false;
  const auto* wrapped = wrapper_of(file, log);
  const int result = wrapped->real->xSync(file, flags);
  return log && faults().sync_result != SQLITE_OK ? faults().sync_result : result;
}

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* real = static_cast<sqlite3_vfs*>(vfs->pAppData);
  const int result = real->xOpen(real, name, file, flags, out_flags);
  if (result != SQLITE_OK || !file->pMethods) return result;
  auto& wrapped = wrappers[{file->pMethods, (flags & SQLITE_OPEN_WAL) != 0}];
  wrapped.real = file->pMethods;
  wrapped.methods = *file->pMethods;
  wrapped.methods.xWrite = write;
  wrapped.methods.xSync = sync;
  file->pMethods = &wrapped.methods;
  return result;
}

}  // namespace

Faults& faults() {
  static Faults faults;
  return faults;
}

void register_faulty_vfs() {
  static sqlite3_vfs vfs = *sqlite3_vfs_find(nullptr);
  vfs.pNext = nullptr;
  vfs.zName = "faulty";
  vfs.pAppData = sqlite3_vfs_find(nullptr);
  vfs.xOpen = open;
  sqlite3_vfs_register(&vfs, 0);
}

}  // namespace vtx::sqlite::test
