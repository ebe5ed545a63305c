/* SPDX-License-Identifier: MPL-2.0 */
//
// What each socket type does, as one row of a table; the code has no `switch` over types elsewhere. DESIGN: a pattern says what a link
// does with peers, a wire says how.
#pragma once

#include <span>
#include <string_view>

namespace vtx {

/// How an outbound message becomes an address.
enum class Out { none, any, all, one };
/// What happens to inbound ones.
enum class In { none, fair, filter };
/// What stands ahead of the body.
enum class Envelope { none, identity, request, reply };
/// Which streams of a queue a store link uses: one for all, or by side (connect writes `up`, bind writes `down`).
enum class Streams { main, sided };
/// Who has a stream of its own, a mailbox.
enum class Mailbox { none, each };

struct Pattern {
  int type;               ///< ZMQ_…
  std::string_view name;  ///< "PUSH"
  int counterpart;        ///< ZMQ_… of the driver's end of the inproc pipe; -1: no store link possible
  Out out;
  In in;
  Envelope envelope;
  Streams streams;
  Mailbox mailbox;
  std::string_view default_retain;  ///< of the stream it writes, when nobody declared it
  std::string_view peers;           ///< types it may talk to, where streams have sides; apart by spaces
  int max_links;                    ///< of one socket on stores; 0 any number
  bool publisher;                   ///< its socket sends only to who has subscribed
};

/// Whether two sockets may be the two sides of a queue.
bool may_talk(const Pattern& one, const Pattern& other);

/// All rows.
std::span<const Pattern> patterns();
/// The row of a ZMQ socket type; nullptr for an unknown one.
const Pattern* pattern_of(int type);
/// The row by name, in any case ("push"); nullptr for an unknown one.
const Pattern* pattern_named(std::string_view name);

}  // namespace vtx
