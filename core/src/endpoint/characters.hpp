/* SPDX-License-Identifier: MPL-2.0 */
//
// Classes of bytes as RFC 3986 names them, and percent-decoding. Independent of the process' locale.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace vtx {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
/// Of names of options, queues and groups.
constexpr bool is_name_character(char c) { return is_alpha(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; }
/// Printable ASCII that RFC 3986 allows nowhere unencoded.
constexpr bool is_excluded(char c) { return std::string_view(" \"<>\\^`{|}").find(c) != std::string_view::npos; }

/// Value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Length of the valid UTF-8 sequence that begins at `at`; 0 when none does. U+0080 to U+009F, which terminals obey as controls, do not count as valid.
std::size_t utf8_length(std::string_view text, std::size_t at);

/// `%0A`
std::string percent_encoded(char c);

/// Replaces %XX; nullopt where two hexadecimal digits are missing. Checks nothing else.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace vtx
