/* SPDX-License-Identifier: MPL-2.0 */
//
// The peers of a ROUTER's link: who the store knows of has a pipe to the application's socket.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bridge/router_pipes.hpp"
#include "pattern/routes.hpp"
#include "store/link_stats.hpp"
#include "store/peer_list.hpp"
#include "store/router.hpp"

namespace vtx {

/// Confined to its driver thread.
class LinkPeers {
 public:
  /// @param self  the link's own name, which is no peer
  LinkPeers(Engine& engine, const std::string& queue, std::string self, std::shared_ptr<Routes> routes, Router& router,
            LinkEvents& events);
  ~LinkPeers();

  void open(driver::Id queue) { list_->open(queue); }
  void on_lost() { list_->on_lost(); }
  void attach(RouterPipes& pipes);
  /// The pipes are about to go.
  void detach() { pipes_ = nullptr; }

  /// Calls back when all peers that the store knew have their pipes.
  void when_complete(std::function<void()> complete);
  /// Gives some of the peers that came their pipes. True when any came.
  bool work();
  /// What is sent next comes from the sender of this message. Not ok: it has no pipe and can get none, which has been told.
  Status aim(const driver::Message& message);
  /// It was handed over.
  void on_delivered();

 private:
  Status add(const std::string& identity, const std::string& peer);
  void remove(const std::vector<std::string>& identities);
  void tell_when_complete();

  LinkEvents& events_;
  const std::string self_;
  const std::shared_ptr<Routes> routes_;
  RouterPipes* pipes_ = nullptr;
  std::deque<std::string> coming_;  ///< peers without a pipe
  bool listed_ = false;             ///< all that the store knew are here or among the coming
  std::vector<std::function<void()>> complete_;
  bool refused_ = false;  ///< and it has been told
  std::string aimed_;     ///< identity
  std::string aimed_tag_;
  const std::shared_ptr<PeerList> list_;
};

}  // namespace vtx
