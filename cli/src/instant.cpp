/* SPDX-License-Identifier: MPL-2.0 */
//
// See instant.hpp.
#include "instant.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace vtx::cli {
namespace {

/// Takes a text apart from its front. False once anything was not as it should be, and from then on.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool one_of(std::string_view characters) {
    return ok_ = ok_ && !rest_.empty() && characters.find(rest_[0]) != std::string_view::npos && (skip(1), true);
  }
  int digits(std::size_t count) {
    int value = 0;
    ok_ = ok_ && rest_.size() >= count &&
          std::all_of(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(count), is_digit);
    if (!ok_) return 0;
    std::from_chars(rest_.data(), rest_.data() + count, value);
    skip(count);
    return value;
  }
  /// ".25" as 250; 0 when there is none.
  int milliseconds() {
    if (!ok_ || rest_.empty() || rest_[0] != '.') return 0;
    skip(1);
    int value = 0;
    int weight = 100;
    ok_ = !rest_.empty() && is_digit(rest_[0]);
    for (; !rest_.empty() && is_digit(rest_[0]); skip(1), weight /= 10) value += weight * (rest_[0] - '0');
    return value;
  }
  char next() const { return rest_.empty() ? '\0' : rest_[0]; }
  bool is_done() const { return ok_ && rest_.empty(); }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  void skip(std::size_t count) { rest_.remove_prefix(count); }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::optional<Instant> parse_instant(std::string_view text) {
  using namespace std::chrono;
  Scanner scan(text);
  const year y{scan.digits(4)};
  scan.one_of("-");
  const month m{static_cast<unsigned>(scan.digits(2))};
  scan.one_of("-");
  const day d{static_cast<unsigned>(scan.digits(2))};
  scan.one_of("Tt ");
  const hours hour{scan.digits(2)};
  scan.one_of(":");
  const minutes minute{scan.digits(2)};
  scan.one_of(":");
  const seconds second{scan.digits(2)};
  const milliseconds fraction{scan.milliseconds()};
  const int sign = scan.next() == '+' ? 1 : scan.next() == '-' ? -1 : 0;
  scan.one_of("Zz+-");
  minutes offset{0};
  if (sign != 0) {
    offset = hours{scan.digits(2)};
    scan.one_of(":");
    offset += minutes{scan.digits(2)};
  }
  const year_month_day date{y, m, d};
  if (!scan.is_done() || !date.ok() || hour > 23h || minute > 59min || second > 60s) return std::nullopt;
  return sys_days{date} + hour + minute + second + fraction - sign * offset;
}

}  // namespace vtx::cli
