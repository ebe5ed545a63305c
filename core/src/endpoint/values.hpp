/* SPDX-License-Identifier: MPL-2.0 */
//
// Texts to values: names, counts, sizes, times, choices. A failure is half a sentence that follows "option 'x': ".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vtx/driver/clock.hpp"
#include "vtx/driver/status.hpp"

namespace vtx {

inline constexpr std::size_t kMaxNameLength = 100;
inline constexpr std::string_view kDeadEnding = ".dead";

/// Both ends included.
template <class T>
struct Range {
  T least, most;
};

/// "250"
Result<std::uint64_t> parse_count(std::string_view text, Range<std::uint64_t> range);
/// "65536", "64KiB", "1MiB", "2GiB": bytes.
Result<std::uint64_t> parse_size(std::string_view text, Range<std::uint64_t> range);
/// "250ms", "5s", "10m", "2h", "7d".
Result<driver::Ms> parse_time(std::string_view text, Range<driver::Ms> range);
/// "50us", "2ms", or "none", which is 0.
Result<std::chrono::microseconds> parse_moment(std::string_view text, std::chrono::microseconds most);
/// How long a message waits before it comes: a time, or "none", which is 0.
Result<driver::Ms> parse_delay(std::string_view text);
/// How long a message lives: a time, or "none", which is 0.
Result<driver::Ms> parse_ttl(std::string_view text);
/// "0" to "9".
Result<int> parse_priority(std::string_view text);
/// [A-Za-z0-9._-]{1,100}, not ending in .dead.
Result<std::string> parse_name(std::string_view text);
/// As parse_name, or NAME.dead for a name.
Result<std::string> parse_queue_name(std::string_view text);
/// Position of `text` in `choices`.
Result<std::size_t> parse_choice(std::string_view text, std::span<const std::string_view> choices);

/// Whether a checked queue name is that of a dead-letter queue.
bool is_dead_letter_queue(std::string_view name);

/// "5s", "64MiB": the largest unit that divides the value.
std::string to_text(driver::Ms time);
std::string size_text(std::uint64_t bytes);

/// "release, next or none"
std::string joined(std::span<const std::string_view> words, std::string_view last_separator = " or ");

}  // namespace vtx
