/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/link_peers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "codec/properties.hpp"
#include "pattern/request.hpp"
#include "vtx/driver/names.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

namespace {
constexpr int kAtOnce = 200;  // 46 µs each: other links of the thread must not wait for ten thousand
}

LinkPeers::LinkPeers(Engine& engine, const std::string& queue, std::string self, std::shared_ptr<Routes> routes,
                     Router& router, LinkEvents& events)
    : events_(events),
      self_(std::move(self)),
      routes_(std::move(routes)),
      list_(
          std::make_shared<PeerList>(engine, queue,
                                     PeerList::Calls{[this](const std::string& peer) {
                                                       if (peer != self_) coming_.push_back(peer);
                                                     },
                                                     [this](const std::string& peer) { remove(routes_->forget(peer)); },
                                                     [this] {
                                                       listed_ = true;
                                                       tell_when_complete();
                                                     }})) {
  router.when_gone([list = list_] { list->look_for_gone(); });
}

LinkPeers::~LinkPeers() { list_->close(); }

void LinkPeers::attach(RouterPipes& pipes) { pipes_ = &pipes; }

void LinkPeers::when_complete(std::function<void()> complete) {
  complete_.push_back(std::move(complete));
  tell_when_complete();
}

void LinkPeers::tell_when_complete() {
  if (!listed_ || !coming_.empty() || pipes_ == nullptr) return;
  for (const auto& complete : std::exchange(complete_, {})) complete();
}

bool LinkPeers::work() {
  if (pipes_ == nullptr || coming_.empty()) return false;
  for (int i = 0; i < kAtOnce && !coming_.empty(); ++i) {
    const std::string peer = std::move(coming_.front());
    coming_.pop_front();
    (void)add(routes_->of_peer(peer).identity, peer);
  }
  tell_when_complete();
  return true;
}

Status LinkPeers::add(const std::string& identity, const std::string& peer) {
  if (pipes_->has(identity)) return {};
  Status status = pipes_->add(identity);
  if (status.ok()) {
    refused_ = false;
  } else if (status.code() == Code::no_space && !std::exchange(refused_, true)) {
    events_.on_link_event(
        VTX_EVENT_PEER_REFUSED,
        fmt::format("peer '{}' is refused: {}. Each peer of a ROUTER takes a socket of the context (ZMQ_MAX_SOCKETS, "
                    "set before its first socket) and a descriptor (ulimit -n): raise both",
                    peer, status.text()));
  }
  return status;
}

Status LinkPeers::aim(const Message& message) {
  const std::string peer(property_of(message.properties, kReplyTo));
  aimed_tag_ = property_of(message.properties, kRequestId);
  aimed_ = routes_->of_message(peer, aimed_tag_).identity;
  remove(routes_->take_outlived());
  if (is_anonymous(peer) && !pipes_->has(aimed_)) list_->heard_of(peer);
  if (Status status = add(aimed_, peer); !status.ok()) return status;
  pipes_->aim(aimed_);
  return {};
}

void LinkPeers::on_delivered() {
  if (Routes::Route* route = routes_->find(aimed_); route != nullptr) Routes::on_delivered(*route, aimed_tag_);
}

void LinkPeers::remove(const std::vector<std::string>& identities) {
  for (const std::string& identity : identities)
    if (pipes_ != nullptr) pipes_->remove(identity);
}

}  // namespace vtx
