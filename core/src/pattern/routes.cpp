/* SPDX-License-Identifier: MPL-2.0 */
#include "pattern/routes.hpp"

#include "pattern/peer.hpp"

namespace vtx {

namespace {
constexpr std::size_t kLongestPart = 200;  // a routing id has at most 255 bytes, and a life takes 33

/// The part of a Request-Id that all requests of one asker's life share.
std::string_view life_of(std::string_view tag) { return tag.substr(0, tag.find('-')); }
}  // namespace

Routes::Route& Routes::make(const std::string& identity, const std::string& peer) {
  Route& route = routes_[identity];
  route.identity = identity;
  route.peer = peer;
  return route;
}

Routes::Route& Routes::of_peer(const std::string& peer) {
  const std::string identity = routing_id_of(peer);
  Route* known = find(identity);
  return known != nullptr ? *known : make(identity, peer);
}

Routes::Route& Routes::of_message(const std::string& peer, std::string_view tag) {
  Route& own = of_peer(peer);
  if (own.unanswered == 0 || tag.empty() || own.tag.empty() || life_of(own.tag) == life_of(tag)) return own;
  std::string identity = own.identity.substr(0, kLongestPart);
  identity.append(1, '\0').append(life_of(tag));
  if (Route* known = find(identity); known != nullptr) return *known;
  if (routes_.erase(own.later) > 0) outlived_.push_back(own.later);
  own.later = identity;
  return make(identity, peer);
}

void Routes::on_delivered(Route& route, std::string_view tag) {
  route.tag = tag;
  route.unanswered = tag.empty() ? 0 : route.unanswered + 1;
}

Routes::Route* Routes::find(const std::string& identity) {
  const auto found = routes_.find(identity);
  return found == routes_.end() ? nullptr : &found->second;
}

void Routes::on_answered(Route& route) {
  if (route.unanswered > 0) --route.unanswered;
}

std::vector<std::string> Routes::forget(const std::string& peer) {
  std::vector<std::string> identities{routing_id_of(peer)};
  if (const Route* own = find(identities.front()); own != nullptr && !own->later.empty())
    identities.push_back(own->later);
  for (const std::string& identity : identities) routes_.erase(identity);
  return identities;
}

}  // namespace vtx
