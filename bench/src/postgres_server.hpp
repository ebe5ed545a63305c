/* SPDX-License-Identifier: MPL-2.0 */
//
// What the cases on a Postgres server have in common: a schema of their own there, and the plainest loop that stores the same.
#pragma once

#include <cstdint>
#include <string>

#include "arena.hpp"

namespace vtx::bench {

/// A queue in the schema vtx_bench. @param more  options of the endpoint
std::string endpoint_on(const Options& options, const std::string& more);
void drop_schema(const Options& options);
/// What was written in the run before is being written on by the server: that belongs to no measurement. Who may not ask for that measures a little more of it.
void settle_server(const Options& options);

/// The same rows as VTX's (migrations/postgres/0001_init.sql) into a table that is made anew, each batch a transaction of one statement. @return seconds
double raw_enqueue(const Options& options, std::uint64_t messages, std::uint64_t batch);

}  // namespace vtx::bench
