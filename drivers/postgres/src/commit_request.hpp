/* SPDX-License-Identifier: MPL-2.0 */
//
// A commit as arrays: the messages of all appends one behind the other, and what is odd about settlements.
#pragma once

#include "requests.hpp"

namespace vtx::postgres {

Status check_commit(const driver::Commit& commit);
/// One that check_commit() let pass.
Request make_commit(const std::string& schema, const Life& life, const driver::Commit& commit);

}  // namespace vtx::postgres
