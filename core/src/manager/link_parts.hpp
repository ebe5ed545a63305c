/* SPDX-License-Identifier: MPL-2.0 */
//
// What a link is made of, as its row of the pattern table says: what it receives from, and how it sends.
#pragma once

#include <memory>

#include "bridge/batch_registry.hpp"
#include "bridge/release.hpp"
#include "manager/link_peers.hpp"
#include "manager/link_request.hpp"
#include "store/producer.hpp"
#include "store/receiver.hpp"

namespace vtx {

struct LinkParts {
  std::shared_ptr<Gate> gate;          ///< with a receiver
  std::shared_ptr<Receiver> receiver;  ///< null for types that only send
  std::shared_ptr<Producer> producer;  ///< null for types that only receive
  std::unique_ptr<LinkPeers> peers;    ///< of a ROUTER
};

/// What all parts of a link share.
struct LinkContext {
  Engine& engine;
  LinkStats& stats;
  LinkEvents& events;
  BatchRegistry& registry;
};

/// @param gate  makes one that acknowledges so
LinkParts make_parts(const LinkRequest& request, const LinkContext& context,
                     const std::function<std::shared_ptr<Gate>(Ack)>& gate);

}  // namespace vtx
