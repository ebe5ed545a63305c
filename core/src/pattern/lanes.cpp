/* SPDX-License-Identifier: MPL-2.0 */
#include "pattern/lanes.hpp"

namespace vtx {

namespace {

std::string role(std::string_view type, bool bind) { return std::string(bind ? "bind:" : "connect:").append(type); }

/// A pair is for two alone: nobody else reads and writes its streams.
bool is_pair(const Pattern& pattern) { return pattern.max_links == 1; }

}  // namespace

std::string role_of(const Pattern& pattern, bool bind) {
  return pattern.streams == Streams::main ? std::string() : role(pattern.name, bind);
}

std::vector<std::string> roles_excluded_by(const Pattern& pattern, bool bind) {
  std::vector<std::string> excluded;
  if (pattern.streams == Streams::main) return excluded;
  for (const Pattern& other : patterns()) {
    if (other.streams == Streams::main) continue;
    if (!may_talk(pattern, other)) excluded.push_back(role(other.name, !bind));
    if (is_pair(pattern) != is_pair(other)) excluded.push_back(role(other.name, bind));
  }
  return excluded;
}

}  // namespace vtx
