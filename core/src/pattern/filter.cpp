/* SPDX-License-Identifier: MPL-2.0 */
#include "pattern/filter.hpp"

#include <cstdint>

namespace vtx {

namespace {
constexpr std::size_t kLength = sizeof(std::uint32_t);
}

void Filter::unsubscribe(std::string_view prefix) {
  const auto found = prefixes_.find(prefix.size());
  if (found == prefixes_.end()) return;
  if (const auto entry = found->second.find(prefix); entry != found->second.end()) found->second.erase(entry);
  if (found->second.empty()) prefixes_.erase(found);
}

bool Filter::passes(std::span<const std::byte> first_frame) const {
  const std::string_view text(reinterpret_cast<const char*>(first_frame.data()), first_frame.size());
  for (const auto& [length, prefixes] : prefixes_) {
    if (length > text.size()) return false;
    if (length == 0 || prefixes.contains(text.substr(0, length))) return true;
  }
  return false;
}

std::vector<std::string> Filter::prefixes() const {
  std::vector<std::string> all;
  for (const auto& [length, prefixes] : prefixes_) all.insert(all.end(), prefixes.begin(), prefixes.end());
  return all;
}

std::string Filter::encode() const {
  std::string text;
  for (const std::string& prefix : prefixes()) {
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(prefix.size() >> shift & 0xff);
    text += prefix;
  }
  return text;
}

std::optional<Filter> Filter::decode(std::string_view text) {
  Filter filter;
  while (!text.empty()) {
    if (text.size() < kLength) return std::nullopt;
    std::size_t length = 0;
    for (std::size_t i = 0; i < kLength; ++i) length = length << 8 | static_cast<unsigned char>(text[i]);
    text.remove_prefix(kLength);
    if (length > text.size()) return std::nullopt;
    filter.subscribe(text.substr(0, length));
    text.remove_prefix(length);
  }
  return filter;
}

}  // namespace vtx
