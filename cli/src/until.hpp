/* SPDX-License-Identifier: MPL-2.0 */
//
// Where a replay is to end, as a person says it.
#pragma once

#include <string>

#include "read_log.hpp"

namespace vtx::cli {

/// "seq:N" (N is the last one), "time:RFC 3339" (what was sent before), or "now": what was there when it began.
/// @param last   the newest sequence that is there
/// Throws Failure for any other text.
Bounds parse_until(const std::string& text, std::uint64_t last);

}  // namespace vtx::cli
