/* SPDX-License-Identifier: MPL-2.0 */
//
// What people are told of queues and groups.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::rocks {

/// Messages before `end` that were never leased to the group.
u64 Ledger::fresh_of(const GroupRow& group, const StreamRow& stream, Seq end) const {
  const Seq first = std::max(books_.next_of(group.id, stream.id), stream.tail);
  end = std::min(end, stream.head + 1);
  if (first >= end) return 0;
  if (!stream.dead_letters) return end - first;
  u64 count = 0;
  for (Seq seq = next_offered(group, stream, first, end - 1); seq != 0;
       seq = next_offered(group, stream, seq + 1, end - 1))
    ++count;
  return count;
}

driver::GroupStats Ledger::stats(const GroupRow& group) const {
  driver::GroupStats stats;
  stats.name = to_text(group.title());
  stats.filter = group.filter;
  stats.trimmed = group.trimmed;
  // A dead letter that somebody settled. What retention took is still the group's until it is counted.
  const auto is_there = [this](Id stream, Seq seq) {
    const StreamRow& row = books_.streams.at(stream);
    return !row.dead_letters || log_.contains(row, seq);
  };
  Books::each_of(books_.claims, group.id, [&](const ClaimKey&, const ClaimRow& claim) {
    for (std::size_t i = 0; i < claim.size(); ++i)
      stats.claimed += !claim.is_done(i) && is_there(claim.stream, claim.first + i) ? 1 : 0;
  });
  Books::each_of(books_.retries, group.id, [&](const RetryKey&, const RetryRow& row) {
    if (!books_.streams.at(row.stream).dead_letters)
      stats.retrying += row.last + 1 - row.first;
    else
      for (Seq seq = row.first; seq <= row.last; ++seq) stats.retrying += is_there(row.stream, seq) ? 1 : 0;
  });
  stats.depth = stats.claimed + stats.retrying;
  for (const StreamRow* stream : books_.streams_of(group)) {
    stats.depth += fresh_of(group, *stream, stream->head + 1);
    const Seq least = floor(group.id, *stream);
    if (stream->priority == 0) stats.position = std::max(least, stream->tail);
    const Seq needed = log_.first_from(*stream, least);
    if (needed > stream->head) continue;
    const StoreTime stored = log_.stored_at(*stream, needed);
    stats.oldest = stats.oldest == StoreTime{} ? stored : std::min(stats.oldest, stored);
  }
  return stats;
}

driver::QueueStats Ledger::stats(const QueueRow& queue, bool mailboxes) const {
  driver::QueueStats stats;
  stats.name = queue.name;
  stats.declared = queue.declared;
  stats.tail = 1;
  for (const Id id : books_.streams_of(queue.id)) {
    const StreamRow& stream = books_.streams.at(id);
    stats.messages += stream.count;
    stats.bytes += stream.bytes;
    stats.delayed += stream.delayed;
    if (stream.kind != "main" || stream.priority != 0) continue;
    stats.head = stream.head;
    stats.tail = stream.tail;
  }
  for (const Id id : books_.groups_of(queue.id)) {
    const GroupRow& group = books_.groups.at(id);
    driver::GroupStats of = this->stats(group);
    if (mailboxes || group.kind != "mailbox" || of.depth > 0) stats.groups.push_back(std::move(of));
  }
  stats.counters.assign(queue.counters.begin(), queue.counters.end());
  const QueueRow* dead_queue = books_.find_queue(queue.name + ".dead");
  const StreamRow* dead = dead_queue ? books_.find_stream(dead_queue->id, "main", "", 0) : nullptr;
  if (!dead) return stats;
  stats.dead = dead->count;
  Books::each_of(books_.requeued, dead->id, [&](const RequeuedKey&, const RequeuedRow&) { --stats.dead; });
  return stats;
}

Completion Ledger::run(const driver::Inspect& inspect) {
  Completion answer;
  for (const auto& [id, queue] : books_.queues.all())
    if (inspect.queue.empty() || inspect.queue == queue.name) answer.queues.push_back(stats(queue, inspect.mailboxes));
  if (!inspect.queue.empty() && answer.queues.empty())
    return refuse(Code::not_found, "There is no queue '" + inspect.queue + "'.");
  std::ranges::sort(answer.queues, {}, &driver::QueueStats::name);
  return answer;
}

}  // namespace vtx::rocks
