/* SPDX-License-Identifier: MPL-2.0 */
#include "error.hpp"

#include <sqlite3.h>

namespace vtx::sqlite {

SqliteError last_error(sqlite3* connection, int result) {
  const int extended = connection ? sqlite3_extended_errcode(connection) : result;
  const bool fits = connection && (extended & 0xff) == (result & 0xff);
  return {fits ? extended : result, fits ? sqlite3_errmsg(connection) : sqlite3_errstr(result)};
}

Status translate(const SqliteError& error, const std::string& path) {
  const auto say = [&](Code code, const std::string& remedy) {
    return Status(code, path + ": " + error.text + remedy, error.native);
  };
  switch (error.native & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return say(Code::busy, "; somebody else holds it, VTX tries again");
    case SQLITE_FULL: return say(Code::no_space, "; free space on its disk");
    case SQLITE_CORRUPT: return say(Code::corrupt, "; restore it from a backup, or run sqlite3's .recover");
    case SQLITE_NOTADB: return say(Code::corrupt, "; this file is not a database, name another");
    case SQLITE_READONLY: return say(Code::denied, "; make the file and its directory writable for this user");
    case SQLITE_PERM:
    case SQLITE_AUTH: return say(Code::denied, "; check the permissions of the file and its directory");
    case SQLITE_CANTOPEN:
      return say(Code::denied, "; check that it is a file, and the permissions of it and its directory");
    case SQLITE_TOOBIG: return say(Code::invalid, "; a message may have SQLite's limit, 1 GB by default");
    case SQLITE_NOMEM: return say(Code::lost, "; out of memory");
    case SQLITE_IOERR:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
    case SQLITE_INTERRUPT: return say(Code::lost, "; VTX opens it again");
    default: return say(Code::internal, "");
  }
}

}  // namespace vtx::sqlite
