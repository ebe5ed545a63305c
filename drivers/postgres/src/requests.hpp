/* SPDX-License-Identifier: MPL-2.0 */
//
// From an operation to the call of the function that does it. What each takes stands in drivers/postgres/sql.
#pragma once

#include <string>

#include "memory.hpp"
#include "parameters.hpp"
#include "vtx/driver/operations.hpp"
#include "vtx/driver/status.hpp"

namespace vtx::postgres {

struct Request {
  std::string statement;
  Parameters parameters;
  bool durable = false;  ///< what it changed is on disk when it is answered
};

/// The largest message that is accepted: the server makes one value of all that it returns of a column, and stops at 1 GiB.
inline constexpr std::size_t kLargest = std::size_t{512} * 1024 * 1024;

/// `SELECT * FROM schema.function(life, mark, …)`, with the two that every call begins with; `more` placeholders follow.
Request call(const std::string& schema, const Life& life, const char* function, int more);

/// What is refused before it is sent: invalid, unsupported.
Status check(const driver::Operation& operation);
/// @param operation  one that check() let pass; Beat, ClaimNext, Commit, …
/// @param turn       Tend: the mailbox after which it goes on
Request make_request(const std::string& schema, const Life& life, const driver::Operation& operation,
                     std::int32_t turn);

}  // namespace vtx::postgres
