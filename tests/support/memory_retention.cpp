/* SPDX-License-Identifier: MPL-2.0 */
//
// Retention of the in-memory store: what may go, and what groups lose by it.
#include <algorithm>

#include "support/memory_database.hpp"

namespace vtx::test {

using driver::Completion;
using driver::Retention;
using driver::Tend;

namespace {

constexpr u64 kRetiredAtOnce = 4096;

}  // namespace

/// The least sequence that the group may still need: what is below may go, as far as this group is concerned.
Seq MemoryDatabase::floor(const GroupRow& group, const StreamRow& stream) const {
  Seq least = group.next_of(stream.id);
  for (const auto& [id, claim] : tables_.claims) {
    if (claim.lease.group != group.id || claim.lease.stream != stream.id) continue;
    std::size_t offset = 0;
    while (claim.is_done(offset)) ++offset;
    least = std::min(least, claim.lease.first + offset);
  }
  for (const auto& [key, row] : group.retries)
    if (row.stream == stream.id) least = std::min(least, row.first);
  return least;
}

/// What no group needs any more lies below. Without a group nobody knows who will.
Seq MemoryDatabase::floor(const StreamRow& stream) const {
  std::optional<Seq> least;
  for (const auto& [id, group] : tables_.groups)
    if (group.queue == stream.queue && group.kind == stream.kind && group.peer == stream.peer)
      least = std::min(least.value_or(floor(group, stream)), floor(group, stream));
  return least.value_or(0);
}

Seq MemoryDatabase::floor(const StreamRow& stream, const Retention& retention) {
  switch (retention.kind) {
    case Retention::Kind::forever: return 0;
    case Retention::Kind::consumed: return floor(stream);
    case Retention::Kind::count: return stream.head + 1 - std::min(stream.head + 1, retention.amount);
    case Retention::Kind::age: {
      const auto young = [oldest = now() - retention.age](const auto& row) { return row.second->stored >= oldest; };
      const auto found = std::ranges::find_if(stream.messages, young);
      return found == stream.messages.end() ? stream.head + 1 : found->first;
    }
    case Retention::Kind::size: break;
  }
  u64 bytes = 0;
  for (auto it = stream.messages.rbegin(); it != stream.messages.rend(); ++it)
    if ((bytes += it->second->body.size()) > retention.amount) return it->first + 1;
  return 0;
}

std::vector<GroupRow*> MemoryDatabase::groups_of(const StreamRow& stream) {
  std::vector<GroupRow*> found;
  for (auto& [id, group] : tables_.groups)
    if (group.queue == stream.queue && group.kind == stream.kind && group.peer == stream.peer) found.push_back(&group);
  return found;
}

Completion MemoryDatabase::run(const Tend& tend) {
  QueueRow* queue = find_queue(tend.queue);
  if (!queue) return refuse(Code::not_found, "There is no queue '" + tend.queue + "'.");
  for (auto& [id, holder] : tables_.holders)
    if (holder.ended) end_holder(holder);
  Completion answer;
  for (auto& [id, stream] : tables_.streams)
    if (stream.queue == queue->id) answer.more = fire(id) || answer.more;
  answer.declared = queue->declared;
  const auto retention = driver::parse_retention(queue->declared.retain);
  if (!retention || retention->kind == Retention::Kind::forever) return answer;
  const bool spares_groups = retention->kind == Retention::Kind::consumed;
  std::vector<StreamRow*> streams;
  for (auto& [id, stream] : tables_.streams)
    if (stream.queue == queue->id) streams.push_back(&stream);
  // Begins behind the last that was tended: a stream which always has more holds up no other.
  const auto is_next = [queue](const StreamRow* stream) { return stream->id > queue->tended; };
  std::ranges::rotate(streams, std::ranges::find_if(streams, is_next));
  for (StreamRow* stream : streams) {
    if (answer.count < kRetiredAtOnce) queue->tended = stream->id;
    let_go(*stream, floor(*stream, *retention), spares_groups, answer);
  }
  return answer;
}

/// An operator's hand: goes as far as told, whatever is declared.
Completion MemoryDatabase::trim(const driver::Steer& steer) {
  const auto start = driver::parse_start(steer.from);
  if (!steer.keep && !start) return refuse(Code::invalid, start.error().text());
  const QueueRow* queue = find_queue(steer.queue);
  if (!queue) return refuse(Code::not_found, "There is no queue '" + steer.queue + "'.");
  Completion answer;
  const driver::Start beside = steer.keep ? driver::Start() : start_beside(queue->id, "main", "", *start);
  for (auto& [id, stream] : tables_.streams) {
    if (stream.queue != queue->id || stream.kind != "main") continue;
    const Seq least = steer.keep ? floor(stream, {Retention::Kind::count, {}, *steer.keep})
                                 : position(stream, stream.priority == 0 ? *start : beside);
    let_go(stream, least, false, answer);
  }
  return answer;
}

/// Removes what lies below `least`, as much as one call may.
void MemoryDatabase::let_go(StreamRow& stream, Seq least, bool spares_groups, Completion& answer) {
  while (!stream.messages.empty() && stream.tail() < least) {
    if (answer.count == kRetiredAtOnce) {
      answer.more = true;
      break;
    }
    const auto groups = groups_of(stream);
    if (!spares_groups && groups.empty()) ++tables_.queues.at(stream.queue).counters["trimmed"];
    if (!spares_groups)
      for (GroupRow* group : groups) leave_behind(*group, stream, stream.tail());
    stream.messages.erase(stream.messages.begin());
    if (answer.count++ == 0) ring_all(stream.queue);  // there may be room again
  }
  if (!spares_groups)
    for (GroupRow* group : groups_of(stream)) cut_retries(*group, stream);
}

/// The message goes, whether the group has had it or not.
void MemoryDatabase::leave_behind(GroupRow& group, const StreamRow& stream, Seq seq) {
  if (group.next_of(stream.id) > seq) return;
  group.next[stream.id] = seq + 1;
  count_trimmed(group, 1);
}

/// What waited for redelivery and is no more will not come again.
void MemoryDatabase::cut_retries(GroupRow& group, const StreamRow& stream) {
  const auto rows = std::exchange(group.retries, {});
  for (auto [key, row] : rows) {
    if (row.stream == stream.id && row.first < stream.tail()) {
      const Seq first = std::min(stream.tail(), row.last + 1);
      count_trimmed(group, first - row.first);
      row.first = first;
    }
    if (row.first <= row.last) group.retries[{row.due, row.first, row.id}] = row;
  }
}

void MemoryDatabase::count_trimmed(GroupRow& group, u64 count) {
  group.trimmed += count;
  if (count > 0) tables_.queues.at(group.queue).counters["trimmed"] += count;
}

}  // namespace vtx::test
