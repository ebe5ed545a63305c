/* SPDX-License-Identifier: MPL-2.0 */
//
// Sending on the application's own connection, in its own transaction: a call of the function that anybody may call from SQL.
#include <libpq-fe.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <span>
#include <string_view>

#include "parameters.hpp"
#include "requests.hpp"
#include "result.hpp"
#include "vtx/drivers/postgres.h"

namespace {

using vtx::postgres::Parameters;
using vtx::postgres::Result;

int refuse(int error) {
  errno = error;
  return -1;
}

int error_of(PGconn* connection, const Result& result) {
  const std::string_view state = result.sqlstate();
  if (state.empty()) return PQstatus(connection) == CONNECTION_OK ? ENOMEM : EIO;
  if (state == "VX001") return ENOENT;
  if (state == "VX003") return ENOBUFS;
  if (state == "VX004" || state.starts_with("22")) return EINVAL;
  if (state == "42501") return EACCES;
  if (state == "42883" || state == "3F000" || state == "42P01") return EPROTO;
  if (state == "53200") return ENOMEM;
  if (state == "53100") return ENOSPC;
  if (state == "54000") return EMSGSIZE;
  return EIO;
}

}  // namespace

int vtx_postgres_send(PGconn* connection, const char* queue, const vtx_postgres_frame_t* frames, size_t count,
                      const char* properties) {
  if (connection == nullptr || queue == nullptr || frames == nullptr || count == 0) return refuse(EINVAL);
  if (PQpipelineStatus(connection) != PQ_PIPELINE_OFF) return refuse(EINVAL);
  const std::span all(frames, count);
  std::size_t size = 0;
  for (const auto& frame : all) {
    if (frame.data == nullptr && frame.size > 0) return refuse(EINVAL);
    if (frame.size > vtx::postgres::kLargest - size) return refuse(EMSGSIZE);
    size += frame.size;
  }
  try {
    Parameters to;
    to.add(queue).begin_array(vtx::postgres::kBytea);
    for (const auto& frame : all) to.element_bytes({static_cast<const std::byte*>(frame.data), frame.size});
    to.end_array();
    if (properties != nullptr)
      to.add(properties);
    else
      to.add_null(vtx::postgres::kText);
    if (to.too_large()) return refuse(EMSGSIZE);
    // The application's search_path may come first, so that it can choose the schema; what somebody else has put there is not meant.
    const Result place(PQexec(
        connection,
        "SELECT coalesce((SELECT quote_ident(n.nspname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE p.proname = 'send_frames' AND p.proowner = n.nspowner AND n.nspname = ANY (current_schemas(false)) "
        "ORDER BY "
        "array_position(current_schemas(false), n.nspname) LIMIT 1), 'vtx')"));
    if (!place.ok()) return refuse(error_of(connection, place));
    const std::string call = "SELECT " + std::string(place.text(0, 0)) + ".send_frames($1,$2,$3)";
    const Result sent(
        PQexecParams(connection, call.c_str(), to.count(), to.types(), to.values(), to.lengths(), to.formats(), 1));
    return sent.ok() ? 0 : refuse(error_of(connection, sent));
  } catch (const std::bad_alloc&) {
    return refuse(ENOMEM);
  }
}
