/* SPDX-License-Identifier: MPL-2.0 */
//
// Names that drivers and core must agree upon, and that people read: of groups, and of peers and their mailboxes.
#pragma once

#include <string>
#include <string_view>

#include "vtx/export.h"

namespace vtx::driver {

/// A consumer group of a queue: whose messages it is given, and how it is called among those.
struct GroupName {
  std::string kind;  ///< main up down mailbox
  std::string peer;  ///< mailbox: whose
  std::string name;
  bool operator==(const GroupName&) const = default;
};

/// As statistics and dead letters call it: "NAME" of the main stream, else "up/NAME", "mailbox:PEER/NAME".
VTX_EXPORT std::string to_text(const GroupName& group);
/// The reverse. Text that to_text() never gives is a group of the main stream, of that name.
VTX_EXPORT GroupName parse_group_name(std::string_view text);

/// The name of a peer that nobody can come back as; its mailbox goes when it goes.
inline bool is_anonymous(std::string_view peer) { return peer.starts_with('~'); }

/// What Hold::what is for the mailbox of a peer.
inline std::string hold_of_peer(std::string_view peer) { return std::string("peer:").append(peer); }
/// The peer of such a hold; empty for any other.
inline std::string_view peer_of_hold(std::string_view what) {
  constexpr std::string_view kPeer = "peer:";
  return what.starts_with(kPeer) ? what.substr(kPeer.size()) : std::string_view();
}

}  // namespace vtx::driver
