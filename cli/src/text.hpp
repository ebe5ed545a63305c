/* SPDX-License-Identifier: MPL-2.0 */
//
// Numbers, sizes, times and tables as people read them, and times as they write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vtx::cli {

std::string grouped(std::uint64_t number);       ///< 1,234,567
std::string readable_size(std::uint64_t bytes);  ///< 17 B, 1.5 MiB
std::string readable_time(double seconds);       ///< 250 µs, 1.5 ms, 2.1 s, 3:07, 2 h 05 m
std::string printable(std::string_view text);    ///< control characters as \n, \x1b: safe on a terminal

/// Valid UTF-8, by the letter: nothing overlong, no surrogates.
bool is_utf8(std::string_view text);

/// "500ms", "2s", "1m", "1h", "1d". @return nothing when it is no time
std::optional<std::chrono::milliseconds> parse_time(std::string_view text);

/// Rows under a heading, columns as wide as they need be; those whose cells are all numbers or sizes line up at the right.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace vtx::cli
