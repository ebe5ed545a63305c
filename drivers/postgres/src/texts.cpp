/* SPDX-License-Identifier: MPL-2.0 */
#include "texts.hpp"

#include <algorithm>
#include <charconv>

namespace vtx::postgres {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool is_high(char c) { return (static_cast<unsigned char>(c) & 0x80U) != 0; }

}  // namespace

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = at + text.size();
  while (at < end) {
    const unsigned lead = *at++;
    if (lead < 0x80) continue;
    const int more = lead >= 0xc2 && lead < 0xe0 ? 1 : (lead & 0xf0U) == 0xe0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : 0;
    if (more == 0 || end - at < more) return false;
    const unsigned second = *at;
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f))
      return false;
    for (int i = 0; i < more; ++i)
      if ((*at++ & 0xc0U) != 0x80) return false;
  }
  return true;
}

std::string readable(std::string_view text) {
  std::string clean(text);
  const bool shown = is_utf8(text);
  std::replace_if(
      clean.begin(), clean.end(),
      [&](char c) { return (is_control(c) && c != '\n' && c != '\t') || (!shown && is_high(c)); }, '?');
  return clean;
}

std::string stored_name(std::string_view name) {
  const bool shown = is_utf8(name);
  std::string stored;
  for (const char c : name) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\')
      stored += "\\\\";
    else if (is_control(c) || (!shown && is_high(c)))
      stored.append("\\x") += {kDigits[byte >> 4U], kDigits[byte & 15U]};
    else
      stored += c;
  }
  return stored;
}

std::string read_name(std::string_view stored) {
  std::string name;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    unsigned byte = 0;
    if (stored[i] != '\\' || i + 1 == stored.size()) {
      name += stored[i];
    } else if (stored[i + 1] == 'x' && i + 3 < stored.size() &&
               std::from_chars(&stored[i + 2], &stored[i + 2] + 2, byte, 16).ec == std::errc()) {
      name += static_cast<char>(byte);
      i += 3;
    } else {
      name += stored[++i];
    }
  }
  return name;
}

}  // namespace vtx::postgres
