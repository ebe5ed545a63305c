/* SPDX-License-Identifier: MPL-2.0 */
//
// SQLite's own VFS with a disk that fails on demand, as the VFS "faulty".
#pragma once

namespace vtx::sqlite::test {

/// What the disk does from now on. Process-wide.
struct Faults {
  int write_result = 0;     ///< of every write to the log, when not SQLITE_OK
  int sync_result = 0;      ///< of every sync of the log, when not SQLITE_OK
  int writes_to_death = 0;  ///< the process kills itself at the nth write to any file; 0 never
};
Faults& faults();

void register_faulty_vfs();

}  // namespace vtx::sqlite::test
