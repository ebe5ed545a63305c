/* SPDX-License-Identifier: MPL-2.0 */
//
// Endpoints: the URI grammar and the option table, parsed and checked in one place, with an explanation for every
// refusal. What an option means for a store is the engine's; this only turns text into values.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "endpoint/uri.hpp"  // scheme_of()
#include "vtx/driver/endpoint.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx {

enum class Ack { release, next, manual, none };

/// Why who publishes sends with no priority.
inline constexpr std::string_view kOneOrder =
    "what is published is a history, which has one order, and its readers read one stream";

/// Values of the options of docs/endpoints.md; what was not given has its default here.
struct LinkOptions {
  std::string queue = "default";
  std::string group = "default";
  std::string subscription;         ///< empty: none, an ephemeral reader
  std::string log = "main";         ///< kind of the stream that a reader reads
  std::string log_peer;             ///< of a mailbox: whose, as ZMQ_ROUTING_ID has it
  std::optional<std::string> from;  ///< checked; unset: as the socket type has it
  Ack ack = Ack::release;
  driver::Ms hold{0};  ///< 0: none
  bool sync = true;    ///< durability
  driver::u32 prefetch = 1000;
  std::size_t prefetch_bytes = 64U * 1024 * 1024;
  driver::Ms lease{5000};
  std::optional<driver::u32> max_deliveries;
  bool blocks_when_full = false;  ///< a ROUTER
  bool properties = false;        ///< a frame of them ends every message
  // Of messages whose properties say nothing else:
  driver::Ms delay{0};
  driver::Ms ttl{0};                       ///< 0: none
  std::optional<int> priority = 0;         ///< unset: none can be given, see kOneOrder
  std::optional<std::string> retain;       ///< normalised: consumed, 7d, 100000, 64MiB, …
  std::vector<std::string> groups;         ///< that hold back retention from the queue's creation on
  std::optional<std::string> limit;        ///< normalised: 100000, 64MiB; empty none
  std::chrono::microseconds busy_poll{0};  ///< for how long the driver thread looks before it sleeps
};

struct LinkEndpoint {
  driver::Endpoint address;
  LinkOptions options;
  std::set<std::string> given;  ///< names of the options that stood in the URI
};

/// Who will use the endpoint, as far as its options are concerned.
struct EndpointUse {
  bool produces = false;   ///< the socket type sends
  bool consumes = false;   ///< the socket type receives
  std::string type;        ///< for messages: "PUSH"
  bool filters = false;    ///< receives by subscription
  bool publishes = false;  ///< sends to all who subscribe
  bool on_main = false;    ///< uses the stream main: what it is follows from the above, whatever its socket
};

/// The names of a scheme's own options, or nullopt for an unknown scheme; and all schemes, for messages.
struct Schemes {
  std::function<std::optional<std::vector<std::string>>(std::string_view scheme)> options_of;
  std::vector<std::string> names;
};

/// Parses and checks everything that does not need the store. `use` nullptr: an operator's look, any option is accepted.
/// The sentence of a failure begins with the endpoint, without its secrets. Fails with invalid; no_scheme; unsupported (an option
/// or value that a later release brings).
Result<LinkEndpoint> parse_endpoint(std::string_view uri, const Schemes& schemes, const EndpointUse* use);

}  // namespace vtx
