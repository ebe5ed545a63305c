/* SPDX-License-Identifier: MPL-2.0 */
//
// See until.hpp.
#include "until.hpp"

#include <charconv>

#include "failure.hpp"

namespace vtx::cli {

Bounds parse_until(const std::string& text, std::uint64_t last) {
  Bounds bounds;
  if (text == "now") {
    bounds.last = last;
    return bounds;
  }
  if (text.starts_with("seq:")) {
    std::uint64_t sequence = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + 4, end, sequence);
    if (error == std::errc() && rest == end) {
      bounds.last = sequence;
      return bounds;
    }
  }
  if (text.starts_with("time:")) {
    bounds.before = parse_instant(std::string_view(text).substr(5));
    if (bounds.before) return bounds;
  }
  throw Failure("--until: '" + text + "' is no place in a log; write seq:N, time:2026-11-21T08:00:00Z, or now",
                Exit::usage);
}

}  // namespace vtx::cli
