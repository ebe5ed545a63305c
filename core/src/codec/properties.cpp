/* SPDX-License-Identifier: MPL-2.0 */
#include "codec/properties.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "endpoint/characters.hpp"
#include "endpoint/uri.hpp"
#include "endpoint/values.hpp"

namespace vtx {
namespace {

constexpr std::size_t kLongest = 64 * 1024;
constexpr std::size_t kLongestName = 64;
// VTX writes these on the way out; a message that is passed on carries those of the hop before.
constexpr std::array<std::string_view, 8> kOurs{"Delivery-Id", "Sequence", "Sent-Time",  "Deliveries",
                                                "Caught-Up",   "Reason",   "Request-Id", "Reply-To"};
/// What VTX acts upon. False: it is none of these.
Result<bool> take(std::string_view name, std::string_view value, SentProperties& sent) {
  const auto store = [](auto parsed, auto& target) -> Result<bool> {
    if (!parsed) return tl::unexpected<Status>(std::move(parsed).error());
    target = *parsed;
    return true;
  };
  if (name == "Delay") return store(parse_delay(value), sent.delay);
  if (name == "Ttl") return store(parse_ttl(value), sent.ttl);
  if (name == "Priority") return store(parse_priority(value), sent.priority);
  return false;
}

/// Takes the next line off the text.
std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

struct Line {
  std::string_view name, value;
};

Line split(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return {};
  std::string_view value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return {line.substr(0, colon), value};
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::ranges::all_of(name, is_name_character);
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

void add_property(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(": ").append(value).append("\n");
}

std::string_view property_of(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const Line line = split(next_line(text));
    if (line.name == name) return line.value;
  }
  return {};
}

Result<SentProperties> parse_properties(std::string_view text, SentProperties sent) {
  if (text.size() > kLongest)
    return fail(Code::invalid,
                fmt::format("the properties have {} bytes: at most {} are possible", text.size(), kLongest));
  while (!text.empty()) {
    const std::string_view whole = next_line(text);
    const Line line = split(whole);
    if (!is_name(line.name) || line.value.find_first_of(std::string_view("\0\r", 2)) != std::string_view::npos)
      return fail(Code::invalid,
                  fmt::format("'{}' is no property: write lines of 'Name: value'", printable(whole.substr(0, 80))));
    if (is_one_of(line.name, kOurs)) continue;
    const auto taken = take(line.name, line.value, sent);
    if (!taken) return fail(Code::invalid, fmt::format("property '{}': {}", line.name, taken.error().text()));
    if (!*taken) add_property(sent.kept, line.name, line.value);
  }
  return sent;
}

std::string rfc3339(driver::StoreTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (time - seconds).count());
}

}  // namespace vtx
