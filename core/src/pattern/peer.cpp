/* SPDX-License-Identifier: MPL-2.0 */
#include "pattern/peer.hpp"

#include <fmt/format.h>

#include "endpoint/characters.hpp"
#include "util/random.hpp"
#include "vtx/driver/names.hpp"

namespace vtx {

std::string peer_name(std::string_view routing_id) {
  std::string name;
  for (const char c : routing_id) {
    if (is_name_character(c))
      name += c;
    else
      name += percent_encoded(c);
  }
  return name;
}

std::string routing_id_of(std::string_view peer) {
  const auto id = driver::is_anonymous(peer) ? std::nullopt : percent_decoded(peer);
  return id.value_or(std::string(peer));
}

std::string anonymous_peer() { return "~" + random_hex(); }

Status unknown_peer(std::string_view routing_id, std::string_view queue) {
  return {Code::not_found,
          fmt::format("no peer with the routing id '{}' has ever attached to queue '{}': the list of all its groups "
                      "names those that have",
                      routing_id, queue)};
}

std::string random_hex() {
  std::string text;
  for (const std::byte byte : random_bytes<16>()) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

}  // namespace vtx
