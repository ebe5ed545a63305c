/* SPDX-License-Identifier: MPL-2.0 */
//
// Points in time as RFC 3339 writes them: in the property Sent-Time, and where a person says until when.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace vtx::cli {

/// Wall-clock time, UTC.
using Instant = std::chrono::sys_time<std::chrono::milliseconds>;

/// "2026-11-21T08:00:00Z", with any fraction of a second, "+01:00" for Z. @return nothing when it is no such time
std::optional<Instant> parse_instant(std::string_view text);

}  // namespace vtx::cli
