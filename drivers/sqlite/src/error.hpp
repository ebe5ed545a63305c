/* SPDX-License-Identifier: MPL-2.0 */
//
// SQLite's failures: an exception inside the driver, which its transaction loop catches; a Status outside.
#pragma once

#include <string>

#include "vtx/driver/status.hpp"

struct sqlite3;

namespace vtx::sqlite {

/// Thrown by Database and Rows. Never leaves the driver.
struct SqliteError {
  int native;        ///< extended result code
  std::string text;  ///< SQLite's words
};

/// The last failure of a connection.
SqliteError last_error(sqlite3* connection, int result);

/// The one translation of native errors.
/// @param path  of the database, for the sentence
Status translate(const SqliteError& error, const std::string& path);

}  // namespace vtx::sqlite
