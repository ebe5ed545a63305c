/* SPDX-License-Identifier: MPL-2.0 */
#include "waits.hpp"

#include <charconv>

namespace vtx::postgres {

std::vector<Key> Waits::unarmed() const {
  std::vector<Key> keys;
  for (const auto& [key, seen] : waiting_)
    if (!armed_.contains(key) && !asked_.contains(key)) keys.push_back(key);
  return keys;
}

void Waits::answered(const std::vector<Key>& armed) {
  asked_.clear();
  armed_.insert(armed.begin(), armed.end());
}

std::optional<std::vector<Key>> parse_words(std::string_view payload, std::vector<std::int32_t>& sent) {
  std::vector<Key> keys;
  while (!payload.empty()) {
    const auto end = std::min(payload.find(' '), payload.size());
    const std::string_view word = payload.substr(0, end);
    payload.remove_prefix(std::min(end + 1, payload.size()));
    if (word.empty()) continue;
    std::int32_t id = 0;
    const auto [rest, error] = std::from_chars(word.data() + 1, word.data() + word.size(), id);
    const bool known = std::string_view("gsrji").find(word.front()) != std::string_view::npos;
    if (!known || error != std::errc() || rest != word.data() + word.size()) return std::nullopt;
    if (word.front() == 'i')
      sent.push_back(id);
    else
      keys.push_back({word.front(), id});
  }
  return keys;
}

}  // namespace vtx::postgres
