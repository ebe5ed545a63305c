/* SPDX-License-Identifier: MPL-2.0 */
//
// Retention: what may go, and what groups lose by it. Since a stream goes by moving its tail, a step costs the same whether it retires one
// message or a million; what bounds a step is only that others are waiting for their turn.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::rocks {

using driver::Retention;

namespace {

/// As in every store: so that whoever tends sees how it goes on.
constexpr u64 kRetiredAtOnce = 4096;
/// What a producer that ended without a word leaves behind is of use for as long as its commit may be submitted again.
constexpr auto kProducerKept = std::chrono::hours(24);

}  // namespace

/// The least sequence that the group may still need: what is below may go, as far as this group is concerned.
Seq Ledger::floor(Id group, const StreamRow& stream) const {
  Seq least = books_.next_of(group, stream.id);
  Books::each_of(books_.claims, group, [&](const ClaimKey&, const ClaimRow& claim) {
    if (claim.stream != stream.id || claim.first >= least) return;
    std::size_t offset = 0;
    while (claim.is_done(offset)) ++offset;
    least = std::min(least, claim.first + offset);
  });
  Books::each_of(books_.retries, group, [&](const RetryKey&, const RetryRow& row) {
    if (row.stream == stream.id) least = std::min(least, row.first);
  });
  return least;
}

Seq Ledger::floor(const StreamRow& stream, const Retention& retention) {
  switch (retention.kind) {
    case Retention::Kind::forever: return 0;
    case Retention::Kind::count: return stream.head + 1 - std::min(stream.head + 1, retention.amount);
    case Retention::Kind::age: return log_.first_since(stream, now() - retention.age);
    case Retention::Kind::size: return log_.first_within(stream, retention.amount);
    case Retention::Kind::consumed: break;
  }
  // What no group needs any more lies below. Without a group nobody knows who will.
  std::optional<Seq> least;
  for (const Id group : books_.groups_of(stream)) {
    const Seq needed = floor(group, stream);
    least = std::min(least.value_or(needed), needed);
  }
  return least.value_or(0);
}

Completion Ledger::run(const driver::Tend& tend) {
  const QueueRow* queue = books_.find_queue(tend.queue);
  if (!queue) return refuse(Code::not_found, "There is no queue '" + tend.queue + "'.");
  end_holders();
  forget_producers();
  Completion answer;
  auto streams = books_.streams_of(queue->id);
  for (const Id id : streams) answer.more = fire(id) || answer.more;
  answer.declared = queue->declared;
  const auto retention = driver::parse_retention(queue->declared.retain);
  if (!retention || retention->kind == Retention::Kind::forever) return answer;
  const bool spares_groups = retention->kind == Retention::Kind::consumed;
  // Begins behind the last that was tended: a stream which always has more holds up no other.
  std::rotate(streams.begin(), std::ranges::upper_bound(streams, queue->tended), streams.end());
  Id last = queue->tended;
  for (const Id id : streams) {
    if (answer.count < kRetiredAtOnce) last = id;
    let_go(id, floor(books_.streams.at(id), *retention), spares_groups, answer);
  }
  if (answer.count > 0 && last != queue->tended) books_.queues.edit(queue->id).tended = last;
  return answer;
}

/// An operator's hand: goes as far as told, whatever is declared.
Completion Ledger::trim(const driver::Steer& steer) {
  const auto start = driver::parse_start(steer.from);
  if (!steer.keep && !start) return refuse(Code::invalid, start.error().text());
  const QueueRow* queue = books_.find_queue(steer.queue);
  if (!queue) return refuse(Code::not_found, "There is no queue '" + steer.queue + "'.");
  Completion answer;
  const driver::Start beside = steer.keep ? driver::Start() : start_beside(queue->id, "main", "", *start);
  for (const Id id : books_.streams_of(queue->id)) {
    const StreamRow& stream = books_.streams.at(id);
    if (stream.kind != "main") continue;
    const Seq least = steer.keep ? floor(stream, {Retention::Kind::count, {}, *steer.keep})
                                 : position(stream, stream.priority == 0 ? *start : beside);
    let_go(id, least, false, answer);
  }
  return answer;
}

/// Removes what lies below `least`, as much as one call may.
void Ledger::let_go(Id id, Seq least, bool spares_groups, Completion& answer) {
  const StreamRow& stream = books_.streams.at(id);
  const Seq end = std::min(least, stream.head + 1);
  u64 room = kRetiredAtOnce - std::min(answer.count, kRetiredAtOnce);
  Seq tail = std::min(end, stream.tail + room);
  if (stream.dead_letters)  // with holes: by number
    for (tail = stream.tail; tail < end && room > 0; --room) tail = log_.first_from(stream, tail + 1);
  answer.more = answer.more || tail < end;
  const u64 before = stream.count;
  const Seq was = stream.tail;
  if (tail > was) {
    log_.trim(books_.streams.edit(id), tail);
    answer.count += before - stream.count;
    waiting_.ring_room(books_.queues.at(stream.queue));
  }
  if (spares_groups) return;
  const auto groups = books_.groups_of(stream);
  // What came back after its message went is noticed here, too.
  if (groups.empty()) count(stream.queue, "trimmed", before - stream.count);
  for (const Id group : groups) leave_behind(books_.groups.at(group), stream, was);
}

/// What lay before the tail is gone, whether the group has had it or not.
void Ledger::leave_behind(const GroupRow& group, const StreamRow& stream, Seq was) {
  const Seq next = books_.next_of(group.id, stream.id);
  if (next < stream.tail) {
    count_trimmed(group, stream.tail - std::max(next, was));
    books_.cursors.make({group.id, stream.id}).next = stream.tail;
  }
  Books::each_of(books_.retries, group.id, [&](const RetryKey& place, const RetryRow& row) {
    if (row.stream != stream.id || row.first >= stream.tail) return;
    const RetryKey key = place;
    const Seq first = std::min(stream.tail, row.last + 1);
    count_trimmed(group, first - row.first);
    if (first > row.last)
      books_.retries.erase(key);
    else
      books_.retries.edit(key).first = first;
  });
}

void Ledger::count_trimmed(const GroupRow& group, u64 by) {
  if (by == 0) return;
  books_.groups.edit(group.id).trimmed += by;
  count(group.queue, "trimmed", by);
}

void Ledger::forget_producers() {
  std::vector<Producer> over;
  for (const auto& [id, row] : books_.producers.all())
    if (row.used + kProducerKept < now()) over.push_back(id);
  for (const Producer& id : over) books_.producers.erase(id);
}

}  // namespace vtx::rocks
