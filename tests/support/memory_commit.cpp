/* SPDX-License-Identifier: MPL-2.0 */
//
// The commit of the in-memory store: appends and settlements in one transaction that a repetition does not repeat.
#include <algorithm>
#include <array>

#include "support/memory_database.hpp"
#include "vtx/driver/dead_letter.hpp"

namespace vtx::test {

using driver::Append;
using driver::Commit;
using driver::Completion;
using driver::Odd;
using driver::Settle;
using driver::Verdict;

namespace {

constexpr std::size_t kRememberedAnswers = 1024;  // of one producer; an engine has far fewer commits on their way

}  // namespace

/// Whatever is wrong is found before anything is done: a commit is whole or not at all.
Status MemoryDatabase::check(const Commit& commit) const {
  for (const Append& append : commit.appends) {
    if (append.stream != 0 && !tables_.streams.contains(append.stream))
      return Status(Code::not_found, "No such stream.");
    if (append.only_if >= static_cast<int>(commit.settles.size()))
      return Status(Code::invalid, "only_if names no settlement of this commit.");
    if (append.priority < 0 || append.priority > driver::kHighestPriority)
      return Status(Code::invalid, "No such priority.");
    if (append.messages.size() > driver::kMaxBatch) return Status(Code::invalid, "Too many messages in one append.");
    std::size_t bytes = 0;
    for (const driver::Message& message : append.messages) bytes += message.body.size();
    if (bytes > driver::kMaxBatchBytes && append.messages.size() > 1)
      return Status(Code::invalid, "Too many bytes in one append.");
  }
  return {};
}

Completion MemoryDatabase::run(const Commit& commit) {
  Completion answer;
  answer.status = check(commit);
  if (!answer.status.ok()) return answer;
  ProducerRow* producer = commit.counter == 0 ? nullptr : &tables_.producers[commit.producer];
  if (producer && commit.counter <= producer->counter) {
    const auto fenced = producer->fenced.find(commit.counter);
    if (fenced != producer->fenced.end()) answer.fenced = fenced->second;
    const StreamRow* last = commit.appends.empty() ? nullptr : target_of(commit.appends.back(), false);
    if (last) answer.head = last->head;
    return answer;
  }
  answer.status = check_room(commit, answer);
  if (!answer.status.ok()) return answer;
  for (u32 i = 0; i < commit.settles.size(); ++i)
    if (!settle(commit.settles[i])) answer.fenced.push_back(i);
  for (const Append& part : commit.appends) {
    const auto condition = static_cast<u32>(part.only_if);
    if (part.only_if >= 0 && std::ranges::find(answer.fenced, condition) != answer.fenced.end()) continue;
    append(part, answer);
  }
  for (const driver::Tally& tally : commit.tallies) tables_.queues.at(tally.queue).counters[tally.what] += tally.n;
  if (producer) {
    producer->counter = commit.counter;
    if (!answer.fenced.empty()) producer->fenced[commit.counter] = answer.fenced;
    if (producer->fenced.size() > kRememberedAnswers) producer->fenced.erase(producer->fenced.begin());
  }
  return answer;
}

/// What is there in the direction that the stream belongs to, all priorities together.
driver::QueueLimit MemoryDatabase::load_of(const StreamRow& stream) const {
  driver::QueueLimit load{0, 0};
  const auto add = [&](const MessageRow& row) {
    ++load.messages;
    load.bytes += row.body.size();
  };
  const auto same = [&](const StreamRow& other) {
    return other.queue == stream.queue && other.kind == stream.kind && other.peer == stream.peer;
  };
  for (const auto& [id, other] : tables_.streams)
    if (same(other))
      for (const auto& [seq, row] : other.messages) add(*row);
  for (const auto& [key, row] : tables_.delayed)
    if (same(tables_.streams.at(row.stream))) add(row.message);
  return load;
}

Status MemoryDatabase::check_room(const Commit& commit, Completion& answer) const {
  std::map<Id, driver::QueueLimit> adding;
  for (const Append& append : commit.appends) {
    if (append.stream == 0 || tables_.streams.at(append.stream).kind == "mailbox") continue;
    auto& more = adding.try_emplace(append.stream, driver::QueueLimit{0, 0}).first->second;
    more.messages += append.messages.size();
    for (const driver::Message& message : append.messages) more.bytes += message.body.size();
  }
  for (const auto& [id, more] : adding) {
    const StreamRow& stream = tables_.streams.at(id);
    const QueueRow& queue = tables_.queues.at(stream.queue);
    const auto limit = driver::parse_limit(queue.declared.limit).value_or(driver::QueueLimit{});
    if (limit.none() || limit.fits(load_of(stream), more)) continue;
    const auto left = limit.left(load_of(stream));
    answer.room = {static_cast<u32>(std::min<u64>(left.messages, driver::kMaxBatch)), left.bytes};
    return Status(Code::full, "Queue '" + queue.name + "' is at its limit of " + queue.declared.limit + ".");
  }
  return {};
}

void MemoryDatabase::append(const Append& append, Completion& answer) {
  StreamRow* target = target_of(append, true);
  if (!target) {
    answer.count += append.messages.size();
    tables_.queues.at(append.queue).counters["undeliverable"] += append.messages.size();
    return;
  }
  StreamRow& stream = *target;
  for (const driver::Message& message : append.messages) {
    if (!append.origin.empty()) {
      Seq& mark = tables_.marks[append.origin];
      if (message.origin <= mark) continue;
      mark = message.origin;
    }
    MessageRow row{{message.body.begin(), message.body.end()}, message.frames, std::string(message.properties), {}, {}};
    if (message.delay > Ms::zero()) {
      row.expires = StoreTime(message.ttl);
      delay(stream, std::move(row), message.delay);
      continue;
    }
    if (message.ttl > Ms::zero()) row.expires = std::max(now(), stream.newest) + message.ttl;
    append_row(stream, std::move(row));
  }
  answer.head = stream.head;
  if (!append.messages.empty()) ring(stream.queue);
}

Seq MemoryDatabase::append_row(StreamRow& stream, MessageRow row) {
  row.stored = stream.newest = std::max(now(), stream.newest);
  stream.messages[++stream.head] = std::make_shared<const MessageRow>(std::move(row));
  return stream.head;
}

/// @return false when the claim is closed or unknown: fenced
bool MemoryDatabase::settle(const Settle& settle) {
  const auto found = tables_.claims.find(settle.claim);
  if (found == tables_.claims.end() || found->second.lease.group != settle.group) return false;
  ClaimRow& claim = found->second;
  std::map<u32, const Odd*> odds;
  for (const Odd& odd : settle.odd) odds[odd.offset] = &odd;
  const ClaimRow before = claim;
  claim.done.resize((claim.size() + 63) / 64);
  std::vector<Seq> unseen;
  bool closed = true;
  for (u32 i = 0; i < claim.size(); ++i) {
    const bool wished = i / 64 < settle.done.size() && (settle.done[i / 64] >> i % 64 & 1);
    if (wished && !before.is_done(i)) {
      claim.done[i / 64] |= u64{1} << i % 64;
      const auto odd = odds.find(i);
      settle_one(before, claim.lease.first + i, odd == odds.end() ? nullptr : odd->second);
      if (odd != odds.end() && odd->second->verdict == Verdict::unseen && odd->second->delay == Ms::zero())
        unseen.push_back(claim.lease.first + i);
    }
    closed = closed && claim.is_done(i);
  }
  give_back(before, unseen);
  if (closed) tables_.claims.erase(found);
  return true;
}

/// Neighbours go back as one range, so that they can be leased as one again.
void MemoryDatabase::give_back(const ClaimRow& claim, const std::vector<Seq>& unseen) {
  for (std::size_t i = 0; i < unseen.size();) {
    const std::size_t begin = i++;
    while (i < unseen.size() && unseen[i] == unseen[i - 1] + 1) ++i;
    retry(claim.lease.group, {0, claim.lease.stream, unseen[begin], unseen[i - 1], claim.lease.delivery - 1, now(),
                              claim.lease.reason, claim.lease.priority});
  }
}

void MemoryDatabase::settle_one(const ClaimRow& claim, Seq seq, const Odd* odd) {
  const Id queue = tables_.groups.at(claim.lease.group).queue;
  auto& counters = tables_.queues.at(queue).counters;
  const u32 delivery = claim.lease.delivery;
  // Consumers of a dead-letter queue never dead-letter further: for them it is a nack.
  const bool in_dead_queue = is_dead_queue(tables_.queues.at(queue).name);
  const Verdict verdict =
      odd && odd->verdict == Verdict::dead && in_dead_queue ? Verdict::nacked : (odd ? odd->verdict : Verdict{});
  // One that was given back to its group was not handed over to others.
  if (!odd && !offered(tables_.groups.at(claim.lease.group), tables_.streams.at(claim.lease.stream), seq)) return;
  if (!odd) return finish(claim, seq);
  switch (verdict) {
    case Verdict::filtered: ++counters["filtered"]; return finish(claim, seq);
    case Verdict::expired: ++counters["expired"]; return finish(claim, seq);
    case Verdict::dead:
      if (bury(claim, seq, odd->reason))
        ++counters["dead_lettered"];
      else
        count_trimmed(tables_.groups.at(claim.lease.group), 1);
      return;
    case Verdict::nacked:
      return retry(claim.lease.group,
                   {0, claim.lease.stream, seq, seq, delivery, now() + odd->delay, odd->reason, claim.lease.priority});
    case Verdict::unseen:
      if (odd->delay == Ms::zero()) return;  // give_back()
      return retry(claim.lease.group, {0, claim.lease.stream, seq, seq, delivery - 1, now() + odd->delay, odd->reason,
                                       claim.lease.priority});
  }
}

/// Copies the message to the dead-letter queue, with what a person needs to know about its end.
/// @return false when it has been removed meanwhile
bool MemoryDatabase::bury(const ClaimRow& claim, Seq seq, const std::string& reason) {
  const StreamRow& stream = tables_.streams.at(claim.lease.stream);
  const auto found = stream.messages.find(seq);
  if (found == stream.messages.end()) return false;
  const GroupRow& group = tables_.groups.at(claim.lease.group);
  const QueueRow& queue = tables_.queues.at(group.queue);
  MessageRow row = *found->second;
  row.expires = {};  // a dead letter stays until someone looks at it
  row.properties = driver::with_death(row.properties, {queue.name, group.title(), seq, claim.lease.delivery, reason,
                                                       claim.lease.priority, stream.dead_letters});
  StreamRow& dead = dead_stream_of(queue);
  append_row(dead, std::move(row));
  ring(dead.queue);
  finish(claim, seq);
  return true;
}

/// The message is settled for the claim's group. Only in a dead-letter stream does that remove it here; elsewhere
/// retention does, when every group is done with it.
void MemoryDatabase::finish(const ClaimRow& claim, Seq seq) {
  StreamRow& stream = tables_.streams.at(claim.lease.stream);
  if (!stream.dead_letters) return;
  stream.messages.erase(seq);
  stream.requeued.erase(seq);
}

}  // namespace vtx::test
