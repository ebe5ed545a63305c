/* SPDX-License-Identifier: MPL-2.0 */
//
// An operator's hand on groups of the in-memory store: where one goes on, and the end of one.
#include <algorithm>

#include "support/memory_database.hpp"

namespace vtx::test {

using driver::Completion;
using driver::Steer;

GroupRow* MemoryDatabase::find_group(const std::string& queue, const std::string& name) {
  const QueueRow* in = find_queue(queue);
  const auto wanted = driver::parse_group_name(name);
  for (auto& [id, group] : tables_.groups)
    if (in && group.queue == in->id && group.title() == wanted) return &group;
  return nullptr;
}

/// Somebody who lives has messages of it, or is the peer whose mailbox it is.
bool MemoryDatabase::is_used(const GroupRow& group) const {
  const auto hold = tables_.holds.find({group.queue, driver::hold_of_peer(group.peer)});
  if (group.kind == "mailbox" && hold != tables_.holds.end() && lives(hold->second)) return true;
  return std::ranges::any_of(tables_.claims, [&](const auto& entry) {
    return entry.second.lease.group == group.id && lives(entry.second.holder);
  });
}

/// Messages before `end` that the group has not settled.
u64 MemoryDatabase::pass_over(const GroupRow& group, const StreamRow& stream, Seq end) const {
  u64 passed = 0;
  for (auto it = stream.messages.lower_bound(group.next_of(stream.id)); it != stream.messages.end() && it->first < end;
       ++it)
    passed += offered(group, stream, it->first) ? 1 : 0;
  for (const auto& [key, row] : group.retries)
    if (row.stream == stream.id && row.first < end) passed += std::min(row.last + 1, end) - row.first;
  for (const auto& [id, claim] : tables_.claims)
    for (std::size_t i = 0; claim.lease.group == group.id && claim.lease.stream == stream.id && i < claim.size(); ++i)
      passed += !claim.is_done(i) && claim.lease.first + i < end ? 1 : 0;
  return passed;
}

/// What is in hands or waits to come again is the group's no longer; dead letters on their way back lie where they lay.
void MemoryDatabase::end_deliveries(GroupRow& group) {
  const auto let_lie = [&](Id stream, Seq first, Seq last) {
    StreamRow& row = tables_.streams.at(stream);
    if (row.queue != group.queue) row.requeued.erase(row.requeued.lower_bound(first), row.requeued.upper_bound(last));
  };
  for (const auto& [key, row] : group.retries) let_lie(row.stream, row.first, row.last);
  group.retries.clear();
  std::erase_if(tables_.claims, [&](const auto& entry) {
    const driver::Claim& lease = entry.second.lease;
    if (lease.group != group.id) return false;
    let_lie(lease.stream, lease.first, lease.last);
    return true;
  });
}

Completion MemoryDatabase::seek(const Steer& steer) {
  const auto start = driver::parse_start(steer.from);
  if (!start) return refuse(Code::invalid, start.error().text());
  GroupRow* group = find_group(steer.queue, steer.group);
  if (!group) return refuse(Code::not_found, "There is no group '" + steer.group + "'.");
  Completion answer;
  const driver::Start beside = start_beside(group->queue, group->kind, group->peer, *start);
  for (const StreamRow* stream : streams_of(*group)) {
    const Seq place = position(*stream, stream->priority == 0 ? *start : beside);
    answer.count += pass_over(*group, *stream, place);
    group->next[stream->id] = place;
    if (stream->priority != 0) continue;
    answer.first = place;
    answer.head = stream->head;
  }
  end_deliveries(*group);
  if (answer.count > 0) tables_.queues.at(group->queue).counters["skipped"] += answer.count;
  ring(group->queue);
  return answer;
}

Completion MemoryDatabase::drop_group(const Steer& steer) {
  GroupRow* group = find_group(steer.queue, steer.group);
  if (!group) return refuse(Code::not_found, "There is no group '" + steer.group + "'.");
  if (!steer.force && is_used(*group)) return refuse(Code::busy, "The group is in use.");
  Completion answer;
  if (group->kind == "mailbox") {
    answer.count = remove_mailbox(group->queue, std::string(group->peer));  // a copy: the row goes
    return answer;
  }
  for (const StreamRow* stream : streams_of(*group)) answer.count += pass_over(*group, *stream, stream->head + 1);
  if (answer.count > 0) tables_.queues.at(group->queue).counters["skipped"] += answer.count;
  end_deliveries(*group);
  tables_.groups.erase(group->id);
  return answer;
}

}  // namespace vtx::test
