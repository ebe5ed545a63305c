/* SPDX-License-Identifier: MPL-2.0 */
//
// The one translation of PostgreSQL's failures to VTX's. Apart from the connection because it is a table that is read and tested alone.
#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>

#include "result.hpp"
#include "vtx/driver/status.hpp"

namespace vtx::postgres {

/// An error as the server tells it. Borrowed.
struct ServerError {
  std::string_view sqlstate, message, detail, hint;
};

/// @param place  whose error it is, for the sentence: Conninfo::place
/// The native code is native_of() the SQLSTATE. Code::lost is what passes, or what opening again finds out more about.
Status translate(const ServerError& error, const std::string& place);
/// Of a result that is not ok().
Status translate(const Result& result, const std::string& place);

/// Why connecting failed, or a live connection broke, from libpq's words. Only wholly hopeless is hopeless: with one host out of several that
/// may come back it is lost.
Status of_connection(const PGconn* connection, const std::string& place);

/// A statement that was left with the server by name answers other columns now: its session is of no more use.
/// @param function  of the server's source (PG_DIAG_SOURCE_FUNCTION)
bool is_stale_plan(std::string_view sqlstate, std::string_view function);
/// A warning that a transaction was committed here, but the wait for its standby given up: with the standby, the commit is in doubt.
/// @param function  of the server's source, as the warning names it (PG_DIAG_SOURCE_FUNCTION)
bool is_standby_wait_cancelled(std::string_view sqlstate, std::string_view severity, std::string_view function);

/// A SQLSTATE as PostgreSQL packs it (MAKE_SQLSTATE of elog.h): 6 bits a character, the first one lowest; 0 when it is none.
int native_of(std::string_view sqlstate);

/// Several lines as one, without repetitions and superfluous space: "could not connect; is the server running?".
std::string one_line(std::string_view text);

}  // namespace vtx::postgres
