/* SPDX-License-Identifier: MPL-2.0 */
//
// An operator's hand on groups: where one goes on, and the end of one.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::rocks {

using driver::Steer;
using driver::Verb;

Completion Ledger::run(const Steer& steer) {
  switch (steer.verb) {
    case Verb::trim: return trim(steer);
    case Verb::seek: return seek(steer);
    case Verb::drop_group: return drop_group(steer);
    case Verb::dead_requeue:
    case Verb::dead_drop: break;
  }
  return steer_letters(steer);
}

const GroupRow* Ledger::named_group(const Steer& steer) const {
  const QueueRow* queue = books_.find_queue(steer.queue);
  return queue ? books_.find_group(queue->id, driver::parse_group_name(steer.group)) : nullptr;
}

/// Somebody who lives has messages of it, or is the peer whose mailbox it is.
bool Ledger::is_used(const GroupRow& group) const {
  const HoldRow* hold = books_.holds.find({group.queue, driver::hold_of_peer(group.peer)});
  bool used = group.kind == "mailbox" && hold && lives(hold->holder);
  Books::each_of(books_.claims, group.id,
                 [&](const ClaimKey&, const ClaimRow& claim) { used = used || lives(claim.holder); });
  return used;
}

/// Messages before `end` that the group has not settled.
u64 Ledger::pass_over(const GroupRow& group, const StreamRow& stream, Seq end) const {
  u64 passed = fresh_of(group, stream, end);
  Books::each_of(books_.retries, group.id, [&](const RetryKey&, const RetryRow& row) {
    if (row.stream == stream.id && row.first < end) passed += std::min(row.last + 1, end) - row.first;
  });
  Books::each_of(books_.claims, group.id, [&](const ClaimKey&, const ClaimRow& claim) {
    for (std::size_t i = 0; claim.stream == stream.id && i < claim.size(); ++i)
      passed += !claim.is_done(i) && claim.first + i < end ? 1 : 0;
  });
  return passed;
}

/// What is in hands or waits to come again is the group's no longer; dead letters on their way back lie where they lay.
void Ledger::end_deliveries(const GroupRow& group) {
  const auto let_lie = [&](Id stream, Seq first, Seq last) {
    if (books_.streams.at(stream).queue == group.queue) return;
    for (Seq seq = first; seq <= last; ++seq) books_.requeued.erase({stream, seq});
  };
  Books::each_of(books_.retries, group.id, [&](const RetryKey& key, const RetryRow& row) {
    let_lie(row.stream, row.first, row.last);
    books_.retries.erase(RetryKey(key));
  });
  Books::each_of(books_.claims, group.id, [&](const ClaimKey& key, const ClaimRow& claim) {
    let_lie(claim.stream, claim.first, claim.last);
    books_.erase_claim(ClaimKey(key));
  });
}

Completion Ledger::seek(const Steer& steer) {
  const auto start = driver::parse_start(steer.from);
  if (!start) return refuse(Code::invalid, start.error().text());
  const GroupRow* group = named_group(steer);
  if (!group) return refuse(Code::not_found, "There is no group '" + steer.group + "'.");
  Completion answer;
  const driver::Start beside = start_beside(group->queue, group->kind, group->peer, *start);
  std::map<Id, Seq> places;
  for (const StreamRow* stream : books_.streams_of(*group)) {
    const Seq place = position(*stream, stream->priority == 0 ? *start : beside);
    answer.count += pass_over(*group, *stream, place);
    places[stream->id] = place;
    if (stream->priority != 0) continue;
    answer.first = place;
    answer.head = stream->head;
  }
  for (const auto& [stream, place] : places) books_.cursors.make({group->id, stream}).next = place;
  end_deliveries(*group);
  count(group->queue, "skipped", answer.count);
  waiting_.ring_group(*group);
  return answer;
}

Completion Ledger::drop_group(const Steer& steer) {
  const GroupRow* group = named_group(steer);
  if (!group) return refuse(Code::not_found, "There is no group '" + steer.group + "'.");
  if (!steer.force && is_used(*group)) return refuse(Code::busy, "The group is in use.");
  Completion answer;
  if (group->kind == "mailbox") {
    answer.count = remove_mailbox(group->queue, std::string(group->peer));  // a copy: the row goes
    return answer;
  }
  for (const StreamRow* stream : books_.streams_of(*group))
    answer.count += pass_over(*group, *stream, stream->head + 1);
  count(group->queue, "skipped", answer.count);
  end_deliveries(*group);
  books_.erase_group(group->id);
  return answer;
}

}  // namespace vtx::rocks
