/* SPDX-License-Identifier: MPL-2.0 */
#include "endpoint/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "endpoint/characters.hpp"
#include "endpoint/uri.hpp"
#include "util/nearest.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx {
namespace {

using driver::Ms;
using std::uint64_t;

struct Unit {
  std::string_view name;
  uint64_t factor;
};
// Largest first, for size_text() and to_text().
constexpr std::array<Unit, 3> kSizeUnits{{{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}}};
constexpr Range<Ms> kDelay{Ms(0), std::chrono::hours(24) * 365 * 10};
constexpr Range<Ms> kLife{Ms(1), std::chrono::hours(24) * 365 * 100};
constexpr std::array<Unit, 2> kMomentUnits{{{"ms", 1000}, {"us", 1}}};
constexpr std::array<Unit, 5> kTimeUnits{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

/// A number and what stands behind it. `value` nullopt: more than 64 bits.
struct Number {
  std::string_view digits, unit;
  std::optional<uint64_t> value;
};

std::optional<uint64_t> product(uint64_t a, uint64_t b) {
  if (b != 0 && a > std::numeric_limits<uint64_t>::max() / b) return std::nullopt;
  return a * b;
}

Number split_number(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  const auto length = static_cast<std::size_t>(end - text.begin());
  Number number{text.substr(0, length), text.substr(length), 0};
  for (const char c : number.digits) {
    const auto digit = static_cast<uint64_t>(c - '0');
    if (number.value) number.value = product(*number.value, 10);
    if (number.value && *number.value > std::numeric_limits<uint64_t>::max() - digit) number.value.reset();
    if (number.value) *number.value += digit;
  }
  return number;
}

std::optional<uint64_t> factor_of(std::string_view unit, std::span<const Unit> units) {
  for (const Unit& known : units)
    if (known.name == unit) return known.factor;
  return std::nullopt;
}

std::string with_unit(uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units)
    if (value != 0 && value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  return fmt::format("{}", value);
}

/// `value` nullopt: too large to count.
template <class Show>
Result<uint64_t> in_range(std::string_view text, std::optional<uint64_t> value, Range<uint64_t> range, Show show) {
  if (!value || *value > range.most)
    return fail(Code::invalid, fmt::format("'{}' is too large: write at most {}", printable(text), show(range.most)));
  if (*value < range.least)
    return fail(Code::invalid, fmt::format("'{}' is too small: write at least {}", printable(text), show(range.least)));
  return *value;
}

std::string plain(uint64_t value) { return fmt::format("{}", value); }

/// What is wrong with a name apart from its ending.
Status check_name(std::string_view text, std::string_view shown) {
  if (text.empty()) return {Code::invalid, "the name is empty: write 1 to 100 characters of A-Z a-z 0-9 . _ -"};
  if (const auto bad = std::find_if_not(text.begin(), text.end(), is_name_character); bad != text.end())
    return {Code::invalid,
            fmt::format("'{}' is not a name: write 1 to 100 characters of A-Z a-z 0-9 . _ -", printable(shown))};
  if (text.size() > kMaxNameLength)
    return {Code::invalid, fmt::format("'{}...' has {} characters: write a name of at most {}", shown.substr(0, 20),
                                       text.size(), kMaxNameLength)};
  return {};
}

}  // namespace

Result<uint64_t> parse_count(std::string_view text, Range<uint64_t> range) {
  const Number number = split_number(text);
  if (number.digits.empty() || !number.unit.empty())
    return fail(Code::invalid, fmt::format("'{}' is not a count: write a whole number such as 100", printable(text)));
  return in_range(text, number.value, range, plain);
}

Result<uint64_t> parse_size(std::string_view text, Range<uint64_t> range) {
  const Number number = split_number(text);
  const std::optional<uint64_t> factor = number.unit.empty() ? 1 : factor_of(number.unit, kSizeUnits);
  if (number.digits.empty() || !factor)
    return fail(Code::invalid,
                fmt::format("'{}' is not a size: write a whole number of bytes or with KiB, MiB or GiB, such as 64MiB",
                            printable(text)));
  return in_range(text, number.value ? product(*number.value, *factor) : std::nullopt, range, size_text);
}

Result<Ms> parse_time(std::string_view text, Range<Ms> range) {
  const Number number = split_number(text);
  const std::optional<uint64_t> factor = factor_of(number.unit, kTimeUnits);
  if (number.digits.empty() || !factor)
    return fail(Code::invalid, fmt::format("'{}' is not a time: write a whole number with ms, s, m, h or d, such as 5s",
                                           printable(text)));
  const auto show = [](uint64_t ms) { return to_text(Ms(ms)); };
  const Range<uint64_t> counts{static_cast<uint64_t>(range.least.count()), static_cast<uint64_t>(range.most.count())};
  return in_range(text, number.value ? product(*number.value, *factor) : std::nullopt, counts, show)
      .map([](uint64_t ms) { return Ms(ms); });
}

Result<std::chrono::microseconds> parse_moment(std::string_view text, std::chrono::microseconds most) {
  if (text == "none") return std::chrono::microseconds(0);
  const Number number = split_number(text);
  const std::optional<uint64_t> factor = factor_of(number.unit, kMomentUnits);
  if (number.digits.empty() || !factor)
    return fail(Code::invalid,
                fmt::format("'{}' is not a moment: write a whole number with us or ms, such as 50us, or none",
                            printable(text)));
  const auto show = [](uint64_t us) { return with_unit(us, kMomentUnits); };
  return in_range(text, number.value ? product(*number.value, *factor) : std::nullopt,
                  Range<uint64_t>{0, static_cast<uint64_t>(most.count())}, show)
      .map([](uint64_t us) { return std::chrono::microseconds(us); });
}

Result<Ms> parse_delay(std::string_view text) {
  if (text == "none") return Ms(0);
  return parse_time(text, kDelay);
}

Result<Ms> parse_ttl(std::string_view text) {
  if (text == "none") return Ms(0);
  return parse_time(text, kLife);
}

Result<int> parse_priority(std::string_view text) {
  if (text.size() == 1 && is_digit(text.front())) return text.front() - '0';
  return fail(Code::invalid, fmt::format("'{}' is no priority: write a number from 0 to {}, which goes first",
                                         printable(text), driver::kHighestPriority));
}

Result<std::string> parse_name(std::string_view text) {
  if (Status bad = check_name(text, text); !bad.ok()) return tl::unexpected(std::move(bad));
  if (is_dead_letter_queue(text))
    return fail(
        Code::invalid,
        fmt::format("'{}' ends in '{}', which is kept for dead-letter queues: write another name", text, kDeadEnding));
  return std::string(text);
}

Result<std::string> parse_queue_name(std::string_view text) {
  std::string_view base = text;
  if (is_dead_letter_queue(text)) base.remove_suffix(kDeadEnding.size());
  if (base.empty() && !text.empty())
    return fail(Code::invalid,
                fmt::format("'{}' is the ending of dead-letter queues: write NAME{}", text, kDeadEnding));
  if (is_dead_letter_queue(base))
    return fail(Code::invalid,
                fmt::format("'{}' cannot exist, a dead-letter queue has none of its own: write '{}'", text, base));
  if (Status bad = check_name(base, text); !bad.ok()) return tl::unexpected(std::move(bad));
  return std::string(text);
}

Result<std::size_t> parse_choice(std::string_view text, std::span<const std::string_view> choices) {
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  const std::string_view meant = nearest(text, choices);
  if (!meant.empty())
    return fail(Code::invalid, fmt::format("unknown value '{}': did you mean '{}'?", printable(text), meant));
  return fail(Code::invalid, fmt::format("unknown value '{}': write {}", printable(text), joined(choices)));
}

bool is_dead_letter_queue(std::string_view name) { return name.ends_with(kDeadEnding); }

std::string to_text(Ms time) {
  return time.count() == 0 ? "0ms" : with_unit(static_cast<uint64_t>(time.count()), kTimeUnits);
}

std::string size_text(uint64_t bytes) { return with_unit(bytes, kSizeUnits); }

std::string joined(std::span<const std::string_view> words, std::string_view last_separator) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? last_separator : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace vtx
