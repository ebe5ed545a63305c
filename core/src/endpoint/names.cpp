/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/names.hpp"

namespace vtx::driver {

std::string to_text(const GroupName& group) {
  if (group.kind == "main") return group.name;
  return group.kind + (group.peer.empty() ? "" : ":" + group.peer) + '/' + group.name;
}

GroupName parse_group_name(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {"main", "", std::string(text)};
  const std::string_view stream = text.substr(0, slash);
  const std::size_t colon = stream.find(':');
  const std::string_view peer = colon == std::string_view::npos ? std::string_view() : stream.substr(colon + 1);
  return {std::string(stream.substr(0, colon)), std::string(peer), std::string(text.substr(slash + 1))};
}

}  // namespace vtx::driver
