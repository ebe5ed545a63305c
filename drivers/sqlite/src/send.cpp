/* SPDX-License-Identifier: MPL-2.0 */
//
// Sending on the application's own connection. It takes no lock of VTX's: the application may hold the database's already, and would wait for
// itself. Receivers learn of the commit by watching the database, as with any plain SQL.
#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "vtx/driver/frames.hpp"
#include "vtx/drivers/sqlite.h"

namespace {

using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

int refuse(int error) {
  errno = error;
  return -1;
}

/// What the view refuses.
int error_of_view(const char* sentence) {
  if (std::strcmp(sentence, "no such VTX queue") == 0) return ENOENT;
  if (std::strcmp(sentence, "the VTX queue is full") == 0) return ENOBUFS;
  return EINVAL;
}

/// What a statement that failed says, as an errno.
int error_of(sqlite3* connection, int result) {
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return EAGAIN;
    case SQLITE_FULL: return ENOSPC;
    case SQLITE_NOMEM: return ENOMEM;
    case SQLITE_TOOBIG: return EMSGSIZE;
    case SQLITE_READONLY: return EACCES;
    case SQLITE_CONSTRAINT: return error_of_view(sqlite3_errmsg(connection));
    case SQLITE_ERROR: return EPROTO;  // no such view, or another one
    default: return EIO;
  }
}

/// Lines `Name: value`; what may stand in them is the receiver's to judge.
bool are_properties(const char* text) {
  while (*text != '\0') {
    const char* colon = std::strchr(text, ':');
    const char* end = std::strchr(text, '\n');
    if (colon == nullptr || end == nullptr || colon > end || colon == text) return false;
    text = end + 1;
  }
  return true;
}

int insert(sqlite3* connection, const char* queue, std::span<const std::byte> body, std::size_t frames,
           const char* properties) {
  sqlite3_stmt* prepared = nullptr;
  int result = sqlite3_prepare_v2(
      connection, "INSERT INTO vtx_send (queue, body, properties, frames) VALUES (?, ?, ?, ?)", -1, &prepared, nullptr);
  const Statement statement(prepared, &sqlite3_finalize);
  if (result == SQLITE_OK) result = sqlite3_bind_text(prepared, 1, queue, -1, SQLITE_STATIC);
  if (result == SQLITE_OK)
    result = sqlite3_bind_blob64(prepared, 2, body.empty() ? "" : static_cast<const void*>(body.data()), body.size(),
                                 SQLITE_STATIC);
  if (result == SQLITE_OK && properties != nullptr && *properties != '\0')
    result = sqlite3_bind_text(prepared, 3, properties, -1, SQLITE_STATIC);
  if (result == SQLITE_OK) result = sqlite3_bind_int64(prepared, 4, static_cast<sqlite3_int64>(frames));
  if (result == SQLITE_OK) result = sqlite3_step(prepared);
  return result == SQLITE_DONE ? 0 : refuse(error_of(connection, result));
}

}  // namespace

int vtx_sqlite_send(sqlite3* connection, const char* queue, const vtx_sqlite_frame_t* frames, size_t count,
                    const char* properties) {
  if (connection == nullptr || queue == nullptr || frames == nullptr || count == 0) return refuse(EINVAL);
  if (properties != nullptr && !are_properties(properties)) return refuse(EINVAL);
  try {
    std::vector<vtx::Frame> parts;
    for (const auto& frame : std::span(frames, count)) {
      if (frame.data == nullptr && frame.size > 0) return refuse(EINVAL);
      parts.emplace_back(static_cast<const std::byte*>(frame.data), frame.size);
    }
    if (count == 1) return insert(connection, queue, parts.front(), 1, properties);
    const auto size = vtx::body_size(parts);
    if (!size) return refuse(EMSGSIZE);
    std::vector<std::byte> body(*size);
    vtx::encode_frames(parts, body);
    return insert(connection, queue, body, count, properties);
  } catch (const std::bad_alloc&) {
    return refuse(ENOMEM);
  }
}
