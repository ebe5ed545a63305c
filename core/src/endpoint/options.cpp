/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/options.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <optional>

#include "endpoint/characters.hpp"
#include "endpoint/uri.hpp"
#include "endpoint/values.hpp"

namespace vtx::driver {

namespace {

using namespace std::chrono_literals;

constexpr Range<Ms> kAge{1s, 24h * 365 * 100};
constexpr Range<std::uint64_t> kAmount{1, std::uint64_t{1} << 53};

/// Reads digits from the front of a text; nullopt once anything was not as it should be.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  int number(std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (i >= rest_.size() || !is_digit(rest_[i])) good_ = false;
      if (!good_) return 0;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }
  void expect(std::string_view one_of) {
    good_ = good_ && !rest_.empty() && one_of.find(rest_.front()) != std::string_view::npos;
    if (good_) rest_.remove_prefix(1);
  }
  bool next_is(char c) const { return !rest_.empty() && rest_.front() == c; }
  std::size_t digits() const {
    std::size_t count = 0;
    while (count < rest_.size() && is_digit(rest_[count])) ++count;
    return count;
  }
  bool done() const { return good_ && rest_.empty(); }
  void fail() { good_ = false; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

/// RFC 3339, section 5.6; fractions of a second are cut to milliseconds.
std::optional<StoreTime> parse_rfc3339(std::string_view text) {
  Scanner in(text);
  const std::chrono::year year(in.number(4));
  in.expect("-");
  const std::chrono::month month(static_cast<unsigned>(in.number(2)));
  in.expect("-");
  const std::chrono::day day(static_cast<unsigned>(in.number(2)));
  in.expect("Tt ");
  const int hour = in.number(2);
  in.expect(":");
  const int minute = in.number(2);
  in.expect(":");
  const int second = in.number(2);
  int ms = 0;
  if (in.next_is('.')) {
    in.expect(".");
    const std::size_t digits = in.digits();
    if (digits == 0) in.fail();
    const std::size_t kept = std::min<std::size_t>(digits, 3);
    ms = in.number(kept);
    for (std::size_t i = kept; i < 3; ++i) ms *= 10;
    in.number(std::min<std::size_t>(digits - kept, 9));
  }
  auto offset = 0min;
  if (in.next_is('Z') || in.next_is('z')) {
    in.expect("Zz");
  } else {
    const bool west = in.next_is('-');
    in.expect("+-");
    const int hours = in.number(2);
    in.expect(":");
    const int minutes = in.number(2);
    if (hours > 23 || minutes > 59) in.fail();
    offset = std::chrono::minutes((west ? -1 : 1) * (hours * 60 + minutes));
  }
  const std::chrono::year_month_day date(year, month, day);
  if (!in.done() || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return StoreTime(std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                   std::chrono::seconds(second) + Ms(ms) - offset);
}

}  // namespace

Result<Retention> parse_retention(std::string_view text) {
  static constexpr std::array<std::string_view, 2> kNames{"consumed", "forever"};
  if (text.empty() || !is_digit(text.front())) {
    return parse_choice(text, kNames).map([](std::size_t chosen) {
      return Retention{chosen == 0 ? Retention::Kind::consumed : Retention::Kind::forever, {}, 0};
    });
  }
  if (is_digit(text.back()))
    return parse_count(text, kAmount).map([](std::uint64_t n) { return Retention{Retention::Kind::count, {}, n}; });
  if (text.ends_with('B') && is_digit(text[text.size() - 2])) {
    return parse_count(text.substr(0, text.size() - 1), kAmount).map([](std::uint64_t n) {
      return Retention{Retention::Kind::size, {}, n};
    });
  }
  if (text.ends_with('B'))
    return parse_size(text, kAmount).map([](std::uint64_t n) { return Retention{Retention::Kind::size, {}, n}; });
  auto age = parse_time(text, kAge);
  if (age) return Retention{Retention::Kind::age, *age, 0};
  return fail(Code::invalid,
              fmt::format("{}; or a count as 100000, a size as 64MiB, consumed, forever", age.error().text()));
}

std::string to_text(const Retention& retention) {
  switch (retention.kind) {
    case Retention::Kind::consumed: return "consumed";
    case Retention::Kind::forever: return "forever";
    case Retention::Kind::age: return vtx::to_text(retention.age);
    case Retention::Kind::count: return fmt::format("{}", retention.amount);
    // Bytes are a size only with a unit: without, they would read as a count.
    case Retention::Kind::size:
      return retention.amount % 1024 == 0 ? size_text(retention.amount) : fmt::format("{}B", retention.amount);
  }
  return {};
}

Result<QueueLimit> parse_limit(std::string_view text) {
  if (text.empty() || text == "none") return QueueLimit{};
  const auto as_declared = parse_retention(text);
  if (as_declared && as_declared->kind == Retention::Kind::count) return QueueLimit{as_declared->amount, UINT64_MAX};
  if (as_declared && as_declared->kind == Retention::Kind::size) return QueueLimit{UINT64_MAX, as_declared->amount};
  return fail(Code::invalid,
              fmt::format("'{}' is no limit: write a count as 100000, a size as 64MiB, or none", printable(text)));
}

std::string to_text(const QueueLimit& limit) {
  if (limit.messages != UINT64_MAX) return to_text(Retention{Retention::Kind::count, {}, limit.messages});
  if (limit.bytes != UINT64_MAX) return to_text(Retention{Retention::Kind::size, {}, limit.bytes});
  return {};
}

Result<Start> parse_start(std::string_view text) {
  Start start;
  if (text.starts_with("seq:")) {
    start.kind = Start::Kind::seq;
    return parse_count(text.substr(4), {1, std::numeric_limits<std::uint64_t>::max()}).map([&](std::uint64_t n) {
      start.seq = n;
      return start;
    });
  }
  if (text.starts_with("time:")) {
    const auto time = parse_rfc3339(text.substr(5));
    if (!time)
      return fail(Code::invalid,
                  fmt::format("'{}' is not a time as of RFC 3339: write time:2026-11-21T08:00:00Z", printable(text)));
    start.kind = Start::Kind::time;
    start.time = *time;
    return start;
  }
  if (text.starts_with('-')) {
    start.kind = Start::Kind::age;
    return parse_time(text.substr(1), {Ms(0), 24h * 365 * 100}).map([&](Ms age) {
      start.age = age;
      return start;
    });
  }
  static constexpr std::array<std::string_view, 2> kNames{"oldest", "now"};
  auto chosen = parse_choice(text, kNames);
  if (!chosen)
    return fail(
        Code::invalid,
        fmt::format("'{}' is no place to begin: write oldest, now, seq:N, time:2026-11-21T08:00:00Z or an age as -15m",
                    printable(text)));
  start.kind = *chosen == 0 ? Start::Kind::oldest : Start::Kind::now;
  return start;
}

}  // namespace vtx::driver
