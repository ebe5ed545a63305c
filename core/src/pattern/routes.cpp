/* SPDX-License-Identifier: MPL-2.0 */
#include "pattern/routes.hpp"

#include "pattern/peer.hpp"
#include "vtx/driver/names.hpp"

namespace vtx {

namespace {
constexpr std::size_t kLongestPart = 200;  // a routing id has at most 255 bytes, and a Request-Id takes up to 53
}  // namespace

Routes::Route& Routes::make(const std::string& identity, const std::string& peer) {
  Route& route = routes_[identity];
  route.identity = identity;
  route.peer = peer;
  return route;
}

/// One that nobody can come back as, and that comes back all the same, because something of it was left behind, is another one to libzmq, which
/// may not have let go of the first yet.
Routes::Route& Routes::of_peer(const std::string& peer) {
  const auto [entry, fresh] = identities_.try_emplace(peer);
  if (!fresh) return routes_.at(entry->second);
  entry->second = routing_id_of(peer);
  if (driver::is_anonymous(peer)) entry->second += '-' + std::to_string(++anonymous_);
  return make(entry->second, peer);
}

Routes::Route& Routes::of_message(const std::string& peer, std::string_view tag) {
  Route& own = of_peer(peer);
  if (own.unanswered == 0 || tag.empty() || own.tag.empty() || own.tag == tag) return own;
  std::string identity = own.identity.substr(0, kLongestPart);
  identity.append(1, '\0').append(tag);
  if (Route* known = find(identity); known != nullptr) return *known;
  if (routes_.erase(own.later) > 0) outlived_.push_back(own.later);
  own.later = identity;
  return make(identity, peer);
}

void Routes::on_delivered(Route& route, std::string_view tag) {
  if (tag.empty())
    route.unanswered = 0;
  else if (route.unanswered == 0 || route.tag != tag)  // else it was given to us again
    ++route.unanswered;
  route.tag = tag;
}

Routes::Route* Routes::find(const std::string& identity) {
  const auto found = routes_.find(identity);
  return found == routes_.end() ? nullptr : &found->second;
}

void Routes::on_answered(Route& route) {
  if (route.unanswered > 0) --route.unanswered;
}

std::vector<std::string> Routes::forget(const std::string& peer) {
  const auto own = identities_.extract(peer);
  if (own.empty()) return {};
  std::vector<std::string> identities{own.mapped()};
  if (const Route* route = find(own.mapped()); route != nullptr && !route->later.empty())
    identities.push_back(route->later);
  for (const std::string& identity : identities) routes_.erase(identity);
  return identities;
}

}  // namespace vtx
