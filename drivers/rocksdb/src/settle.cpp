/* SPDX-License-Identifier: MPL-2.0 */
//
// Settling what was claimed, the dead letters that come of it, and an operator's hand on these.
#include <algorithm>

#include "ledger.hpp"
#include "vtx/driver/dead_letter.hpp"

namespace vtx::rocks {

using driver::Odd;
using driver::Settle;
using driver::Verdict;

/// @return false when the claim is closed or unknown: fenced
bool Ledger::settle(const Settle& settle) {
  const ClaimKey key{settle.group, settle.claim};
  const ClaimRow* known = books_.claims.find(key);
  if (!known) return false;
  // With plain acknowledgements only, no message of most streams is looked at.
  if (settle.odd.empty() && !books_.streams.at(known->stream).dead_letters) {
    ClaimRow& claim = books_.claims.edit(key);
    if (claim.settle(settle.done)) books_.erase_claim(key);
    return true;
  }
  std::map<u32, const Odd*> odds;
  for (const Odd& odd : settle.odd) odds[odd.offset] = &odd;
  ClaimRow& claim = books_.claims.edit(key);
  claim.done.resize((claim.size() + 63) / 64);
  std::vector<Seq> unseen;
  std::vector<std::pair<Seq, const Odd*>> newly;
  bool closed = true;
  for (u32 i = 0; i < claim.size(); ++i) {
    const bool wished = i / 64 < settle.done.size() && (settle.done[i / 64] >> i % 64 & 1);
    if (wished && !claim.is_done(i)) {
      claim.done[i / 64] |= u64{1} << i % 64;
      const auto found = odds.find(i);
      const Odd* odd = found == odds.end() ? nullptr : found->second;
      newly.emplace_back(claim.first + i, odd);
      if (odd && odd->verdict == Verdict::unseen && odd->delay == Ms::zero()) unseen.push_back(claim.first + i);
    }
    closed = closed && claim.is_done(i);
  }
  const ClaimRow row = claim;
  if (closed) books_.erase_claim(key);
  for (const auto& [seq, odd] : newly) settle_one(key, row, seq, odd);
  give_back(settle.group, row, unseen);
  return true;
}

/// Neighbours go back as one range, so that they can be leased as one again.
void Ledger::give_back(Id group, const ClaimRow& claim, const std::vector<Seq>& unseen) {
  for (std::size_t i = 0; i < unseen.size();) {
    const std::size_t begin = i++;
    while (i < unseen.size() && unseen[i] == unseen[i - 1] + 1) ++i;
    retry(group, static_cast<u64>(claim.priority), now(),
          {claim.stream, unseen[begin], unseen[i - 1], claim.delivery - 1, claim.reason});
  }
}

void Ledger::settle_one(const ClaimKey& key, const ClaimRow& claim, Seq seq, const Odd* odd) {
  const Id group = std::get<0>(key);
  const StreamRow& stream = books_.streams.at(claim.stream);
  // It was not handed over: it belongs to the group that it was given back to.
  if (!odd && stream.dead_letters && !is_offered(books_.groups.at(group), stream, seq)) return;
  if (!odd) return finish(claim, seq);
  const QueueRow& queue = books_.queues.at(books_.groups.at(group).queue);
  const auto priority = static_cast<u64>(claim.priority);
  // Consumers of a dead-letter queue never dead-letter further: for them it is a nack.
  const bool stays = odd->verdict == Verdict::dead && is_dead_queue(queue.name);
  switch (stays ? Verdict::nacked : odd->verdict) {
    case Verdict::filtered: count(queue.id, "filtered", 1); return finish(claim, seq);
    case Verdict::expired: count(queue.id, "expired", 1); return finish(claim, seq);
    case Verdict::dead:
      if (bury(group, claim, seq, odd->reason))
        count(queue.id, "dead_lettered", 1);
      else
        count_trimmed(books_.groups.at(group), 1);
      return;
    case Verdict::nacked:
      return retry(group, priority, now() + odd->delay, {claim.stream, seq, seq, claim.delivery, odd->reason});
    case Verdict::unseen:
      if (odd->delay == Ms::zero()) return;  // give_back()
      return retry(group, priority, now() + odd->delay, {claim.stream, seq, seq, claim.delivery - 1, odd->reason});
  }
}

/// Where the queue's dead letters go, made when the first one comes.
const StreamRow& Ledger::dead_stream_of(const QueueRow& queue) {
  const std::string name = queue.name + ".dead";
  const QueueRow* dead = books_.find_queue(name);
  if (!dead) dead = &books_.make_queue(name, {"forever", ""});
  const StreamRow* stream = books_.find_stream(dead->id, "main", "", 0);
  return stream ? *stream : books_.make_stream(dead->id, "main", "", 0);
}

/// Copies the message to the dead-letter queue, with what a person needs to know about its end.
/// @return false when it has been removed meanwhile
bool Ledger::bury(Id group, const ClaimRow& claim, Seq seq, const std::string& reason) {
  const StreamRow& stream = books_.streams.at(claim.stream);
  const GroupRow& owner = books_.groups.at(group);
  const QueueRow& queue = books_.queues.at(owner.queue);
  std::string body, properties;
  u32 frames = 0;
  const auto copy = [&](const StoredMessage& message) {
    frames = message.frames;
    body = message.body;
    properties = driver::with_death(message.properties, {queue.name, owner.title(), seq, claim.delivery, reason,
                                                         claim.priority, stream.dead_letters});
    return false;
  };
  try {
    log_.walk(stream, seq, seq, copy);
  } catch (const DiskError& error) {
    // What has been damaged since it was delivered cannot be copied; its settlement is not to fail for ever.
    if (error.status.code() != Code::corrupt) throw;
    properties.clear();
  }
  if (properties.empty()) return false;
  StreamRow& dead = books_.streams.edit(dead_stream_of(queue).id);
  driver::Message letter;
  letter.body = bytes_of(body);
  letter.frames = frames;
  letter.properties = properties;
  log_.append(dead, {&letter, 1}, now());  // it stays until someone looks at it
  waiting_.ring_stream(dead, true);        // the session may have consumers of that queue, too
  finish(claim, seq);
  return true;
}

/// The message is settled for the claim's group. Only in a dead-letter stream does that remove it here; elsewhere
/// retention does, when every group is done with it.
void Ledger::finish(const ClaimRow& claim, Seq seq) {
  const StreamRow& stream = books_.streams.at(claim.stream);
  if (!stream.dead_letters) return;
  if (log_.contains(stream, seq)) log_.erase_letter(books_.streams.edit(stream.id), seq);
  books_.requeued.erase({stream.id, seq});
}

/// Gives a dead letter back to the group it died in. @return false when that group is gone
bool Ledger::requeue(const StreamRow& dead, Seq seq, const std::string& properties) {
  const driver::DeadFrom from = driver::dead_from(properties);
  const QueueRow* queue = books_.find_queue(from.queue);
  const GroupRow* group = queue ? books_.find_group(queue->id, driver::parse_group_name(from.group)) : nullptr;
  if (!group) return false;
  books_.requeued.make({dead.id, seq});
  retry(group->id, static_cast<u64>(from.priority), now(), {dead.id, seq, seq, 0, {}});
  return true;
}

Completion Ledger::steer_letters(const driver::Steer& steer) {
  const QueueRow* queue = books_.find_queue(steer.queue);
  if (!queue) return refuse(Code::not_found, "There is no queue '" + steer.queue + "'.");
  const QueueRow* dead_queue = books_.find_queue(steer.queue + ".dead");
  const StreamRow* dead = dead_queue ? books_.find_stream(dead_queue->id, "main", "", 0) : nullptr;
  std::vector<std::pair<Seq, std::string>> meant;
  if (dead)
    log_.walk(*dead, steer.seq == 0 ? 1 : steer.seq, steer.seq == 0 ? dead->head : steer.seq,
              [&](const StoredMessage& letter) {
                if (!books_.requeued.find({dead->id, letter.seq}) &&
                    (steer.group.empty() || steer.group == driver::dead_from(letter.properties).group))
                  meant.emplace_back(letter.seq, letter.properties);
                return true;
              });
  if (meant.empty() && steer.seq != 0) return refuse(Code::not_found, "There is no such dead letter.");
  Completion answer;
  for (const auto& [seq, properties] : meant) {
    if (steer.verb == driver::Verb::dead_requeue) {
      answer.count += requeue(*dead, seq, properties) ? 1 : 0;
    } else {
      log_.erase_letter(books_.streams.edit(dead->id), seq);
      count(queue->id, "skipped", 1);
      ++answer.count;
    }
  }
  return answer;
}

}  // namespace vtx::rocks
