/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/roles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace vtx::driver {
namespace {

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

/// "bind:REP" as "a REP that binds"
std::string for_people(std::string_view role) {
  const std::size_t colon = role.find(':');
  return fmt::format("a {} that {}s", role.substr(colon + 1), role.substr(0, colon));
}

}  // namespace

Status check_role(const OpenQueue& open, std::string_view roles) {
  for (const std::string_view role : words_of(roles)) {
    if (std::ranges::find(open.excludes, role) == open.excludes.end()) continue;
    return Status(Code::mismatch, fmt::format("queue '{}' has been used by {}, with which {} cannot talk: use another "
                                              "queue, or the socket types and sides that belong together",
                                              open.queue, for_people(role), for_people(open.role)));
  }
  return {};
}

std::string with_role(std::string_view roles, std::string_view role) {
  const auto words = words_of(roles);
  if (role.empty() || std::ranges::find(words, role) != words.end()) return std::string(roles);
  return fmt::format("{}{}{}", roles, roles.empty() ? "" : " ", role);
}

}  // namespace vtx::driver
