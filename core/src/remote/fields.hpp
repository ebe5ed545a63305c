/* SPDX-License-Identifier: MPL-2.0 */
//
// The fields of everything that goes over a connection, in the order in which they go: one function a struct, for both directions.
// Each takes its struct apart into as many names as it has fields, so that one that gains a field does not compile until it is said here;
// kProtocolVersion (wire.hpp) then rises.
#pragma once

#include <concepts>
#include <type_traits>

#include "vtx/driver/operations.hpp"

namespace vtx::remote {

/// `T` or `const T`.
template <class S, class T>
concept Of = std::same_as<std::remove_const_t<S>, T>;

// The functions are found by the codec's own namespace: the structs are another's.

// NOLINTBEGIN(readability-identifier-length)
#define VTX_FIELDS(type, ...)                \
  template <class Codec, Of<driver::type> T> \
  auto fields(Codec& codec, T& value) {      \
    auto& [__VA_ARGS__] = value;             \
    return codec(__VA_ARGS__);               \
  }

VTX_FIELDS(Limit, messages, bytes)
VTX_FIELDS(Message, body, frames, properties, delay, ttl, origin, seq, stored, expires)
VTX_FIELDS(Odd, offset, verdict, delay, reason)
VTX_FIELDS(Settle, group, claim, done, odd)
VTX_FIELDS(Append, stream, messages, origin, only_if, queue, peer, priority)
VTX_FIELDS(Tally, queue, what, n)
VTX_FIELDS(Declaration, retain, limit)

VTX_FIELDS(Commit, producer, counter, sync, appends, settles, tallies)
VTX_FIELDS(OpenQueue, queue, retain, limit, defaults, create, change, groups, role, excludes)
VTX_FIELDS(OpenStream, queue, kind, peer, priority, create)
VTX_FIELDS(OpenGroup, queue, kind, peer, name, from, filter, max_deliveries, default_max_deliveries)
VTX_FIELDS(ListPeers, queue, after, anonymous, wait)
VTX_FIELDS(Hold, queue, what, holder, release)
VTX_FIELDS(Forget, producer)
VTX_FIELDS(ClaimNext, group, holder, limit, alone, uncounted, number)
VTX_FIELDS(StopWaiting, group)
VTX_FIELDS(Locate, stream, from)
VTX_FIELDS(Read, stream, from, limit, wait)
VTX_FIELDS(Beat, holder, lease)
VTX_FIELDS(TakeOver, holder, seen)
VTX_FIELDS(Tend, queue)
VTX_FIELDS(Steer, verb, queue, group, seq, from, keep, force)
VTX_FIELDS(Inspect, queue, mailboxes)

template <class Codec, Of<driver::Check> T>
auto fields(Codec& codec, T&) {
  static_assert(std::is_empty_v<driver::Check>);
  return codec();
}

VTX_FIELDS(Peer, id, name)
VTX_FIELDS(Claim, id, group, stream, first, last, delivery, reason, priority)
VTX_FIELDS(HolderBeat, holder, count, lease, dead)
VTX_FIELDS(GroupStats, name, depth, claimed, retrying, trimmed, filter, position, oldest)
VTX_FIELDS(QueueStats, name, declared, messages, bytes, head, tail, delayed, dead, groups, counters)
VTX_FIELDS(Finding, level, subject, text, remedy)
VTX_FIELDS(Completion, event, ticket, status, id, head, tail, first, count, more, fork, retry_waiting, retry_later,
           due_in, room, claim, buffer, messages, fenced, holders, peers, max_deliveries, filter, declared, changed,
           groups, streams, roomy, joined, queues, findings, epoch, went_back)

#undef VTX_FIELDS
// NOLINTEND(readability-identifier-length)

}  // namespace vtx::remote
