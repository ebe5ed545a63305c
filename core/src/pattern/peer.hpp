/* SPDX-License-Identifier: MPL-2.0 */
//
// How a peer is called in a store: by its ZMQ_ROUTING_ID, as text that fits into an endpoint and a terminal, or by a name that nobody else
// has and nobody can come back as.
#pragma once

#include <string>
#include <string_view>

#include "vtx/driver/status.hpp"

namespace vtx {

/// Letters, digits, '.', '_' and '-' as they are, every other byte as %XX.
std::string peer_name(std::string_view routing_id);
/// The ZMQ_ROUTING_ID by which a ROUTER knows the peer: the reverse, or the name of an anonymous one.
std::string routing_id_of(std::string_view peer);
/// "~" and 32 random hexadecimal digits; see driver::is_anonymous().
std::string anonymous_peer();
/// What is said of a peer whose mailbox is looked for, and that has none.
Status unknown_peer(std::string_view routing_id, std::string_view queue);
/// 128 random bits, in hexadecimal.
std::string random_hex();

}  // namespace vtx
