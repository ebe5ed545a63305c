/* SPDX-License-Identifier: MPL-2.0 */
//
// From what a function answered to a completion.
#pragma once

#include "result.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx::postgres {

/// Fills in what the operation answers. The result is ok() and of the function that make_request() called.
void read_answer(const driver::Operation& operation, const Result& result, driver::Completion& out);
/// Adds to a refusal what the server said beside the words: the room of a queue, the roles that a queue remembers.
/// @return the stream that has no room; 0 none
driver::Id read_refusal(const driver::Operation& operation, const Result& result, driver::Completion& out);

}  // namespace vtx::postgres
