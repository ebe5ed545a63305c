/* SPDX-License-Identifier: MPL-2.0 */
//
// Leasing in the in-memory store: due retries first, then fresh messages from the top priority down; and the
// take-over of a dead holder's claims.
#include <algorithm>
#include <cstring>

#include "support/memory_database.hpp"

namespace vtx::test {

using driver::ClaimNext;
using driver::Completion;
using driver::Limit;
using driver::TakeOver;

namespace {

/// Copies rows into one buffer of the engine and lets the messages point into it.
void hand_over(const std::vector<std::pair<Seq, std::shared_ptr<const MessageRow>>>& rows, Completion& answer) {
  std::size_t size = 0;
  for (const auto& [seq, row] : rows) size += row->body.size() + row->properties.size();
  answer.buffer = {std::make_unique<std::byte[]>(size), size};
  std::byte* at = answer.buffer.bytes.get();
  const auto put = [&at](const auto& bytes) {
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return std::exchange(at, at + bytes.size());
  };
  for (const auto& [seq, row] : rows) {
    driver::Message& message = answer.messages.emplace_back();
    message.body = {put(row->body), row->body.size()};
    message.properties = {reinterpret_cast<const char*>(put(row->properties)), row->properties.size()};
    message.frames = row->frames;
    message.seq = seq;
    message.stored = row->stored;
    message.expires = row->expires;
  }
}

/// Collects messages until the limit is reached; the first always fits.
class Basket {
 public:
  explicit Basket(Limit limit) : limit_(limit) { limit_.messages = std::min(limit_.messages, driver::kMaxBatch); }

  bool add(Seq seq, const std::shared_ptr<const MessageRow>& row) {
    const bool full = rows_.size() >= limit_.messages || bytes_ + row->body.size() > limit_.bytes ||
                      (!rows_.empty() && seq - rows_.front().first >= driver::kMaxBatch);
    if (full && !rows_.empty()) return false;
    bytes_ += row->body.size();
    rows_.emplace_back(seq, row);
    return true;
  }
  const auto& rows() const { return rows_; }

 private:
  Limit limit_;
  std::size_t bytes_ = 0;
  std::vector<std::pair<Seq, std::shared_ptr<const MessageRow>>> rows_;
};

}  // namespace

/// What is due already goes first, in the order of the stream however it came back.
void MemoryDatabase::retry(Id group, RetryRow row) {
  GroupRow& owner = tables_.groups.at(group);
  row.id = ++last_id_;
  if (row.due <= now()) row.due = {};
  owner.retries[{row.due, row.first, row.id}] = row;
  ring(owner.queue);
}

/// The group's streams, from the top priority down.
std::vector<const StreamRow*> MemoryDatabase::streams_of(const GroupRow& group) const {
  std::vector<const StreamRow*> found;
  for (const auto& [id, stream] : tables_.streams)
    if (stream.queue == group.queue && stream.kind == group.kind && stream.peer == group.peer) found.push_back(&stream);
  std::ranges::sort(found, std::ranges::greater{}, &StreamRow::priority);
  return found;
}

/// False for what the group must pass over: removed, or requeued to another group.
bool MemoryDatabase::offered(const GroupRow& group, const StreamRow& stream, Seq seq) const {
  return stream.messages.contains(seq) && (stream.queue != group.queue || !stream.requeued.contains(seq));
}

/// The first sequence in from..to that the group may have; 0 none.
Seq MemoryDatabase::next_offered(const GroupRow& group, const StreamRow& stream, Seq from, Seq to) const {
  for (auto it = stream.messages.lower_bound(from); it != stream.messages.end() && it->first <= to; ++it)
    if (offered(group, stream, it->first)) return it->first;
  return 0;
}

/// Makes a claim of what the group may have in the range, whose first it may have.
void MemoryDatabase::lease(const ClaimNext& wish, const driver::Claim& range, Completion& answer) {
  const GroupRow& group = tables_.groups.at(wish.group);
  const StreamRow& stream = tables_.streams.at(range.stream);
  Basket basket(wish.limit);
  for (auto it = stream.messages.lower_bound(range.first); it != stream.messages.end() && it->first <= range.last; ++it)
    if (offered(group, stream, it->first) && !basket.add(it->first, it->second)) break;
  ClaimRow claim;
  claim.lease = range;
  claim.lease.id = ++last_id_;
  claim.lease.group = group.id;
  claim.lease.last = basket.rows().back().first;
  claim.holder = wish.holder;
  claim.uncounted = wish.uncounted;
  answer.claim = claim.lease;
  answer.head = stream.head;
  answer.tail = stream.tail();
  tables_.claims[claim.lease.id] = std::move(claim);
  hand_over(basket.rows(), answer);
}

/// @return true when a due retry decided the answer
bool MemoryDatabase::lease_retry(const ClaimNext& wish, int priority, StoreTime now, Completion& answer) {
  GroupRow& group = tables_.groups.at(wish.group);
  while (true) {
    const auto found =
        std::ranges::find_if(group.retries, [&](const auto& entry) { return entry.second.priority == priority; });
    if (found == group.retries.end() || found->second.due > now) return false;
    RetryRow& row = found->second;
    const Seq first = next_offered(group, tables_.streams.at(row.stream), row.first, row.last);
    // Retention may have removed some meanwhile, and what is missing of dead letters somebody settled.
    if (!tables_.streams.at(row.stream).dead_letters)
      count_trimmed(group, (first == 0 ? row.last + 1 : first) - row.first);
    if (first == 0) {
      group.retries.erase(found);
      continue;
    }
    row.first = first;
    if (row.delivered > 0 && !wish.alone) {
      answer.retry_waiting = true;
      return true;
    }
    const Seq last = row.delivered > 0 ? first : row.last;
    lease(wish, {0, 0, row.stream, first, last, row.delivered + 1, row.reason, priority}, answer);
    row.first = answer.claim->last + 1;
    if (row.first > row.last) group.retries.erase(found);
    return true;
  }
}

bool MemoryDatabase::lease_fresh(const ClaimNext& wish, const StreamRow& stream, Completion& answer) {
  GroupRow& group = tables_.groups.at(wish.group);
  const Seq first = next_offered(group, stream, group.next_of(stream.id), stream.head);
  if (first == 0) return false;
  lease(wish, {0, 0, stream.id, first, stream.head, 1, {}, stream.priority}, answer);
  group.next[stream.id] = answer.claim->last + 1;
  return true;
}

/// Says what a further claim would find now, and when more falls due.
void MemoryDatabase::look_ahead(const GroupRow& group, StoreTime now, Completion& answer) {
  for (const StreamRow* stream : streams_of(group))
    if (const auto due_in = delayed_in(stream->id))
      answer.due_in = std::min(answer.due_in.value_or(Ms::max()), *due_in);
  for (const auto& [key, row] : group.retries) {
    if (row.due > now) {
      answer.due_in = std::min(answer.due_in.value_or(Ms::max()), row.due - now);
      answer.retry_later = true;
      break;
    }
    answer.more = true;
  }
  for (const StreamRow* stream : streams_of(group))
    if (next_offered(group, *stream, group.next_of(stream->id), stream->head) != 0) answer.more = true;
}

Completion MemoryDatabase::run(const ClaimNext& wish) {
  const auto group = tables_.groups.find(wish.group);
  if (group == tables_.groups.end()) return refuse(Code::not_found, "No such group.");
  if (!lives(wish.holder)) return refuse(Code::fenced, "This holder has ended: become a new one.");
  Completion answer;
  for (const StreamRow* stream : streams_of(group->second)) answer.more = fire(stream->id) || answer.more;
  const StoreTime moment = now();
  for (const StreamRow* stream : streams_of(group->second))
    if (lease_retry(wish, stream->priority, moment, answer) || lease_fresh(wish, *stream, answer)) break;
  look_ahead(group->second, moment, answer);
  return answer;
}

Completion MemoryDatabase::run(const driver::Read& read) {
  const auto found = tables_.streams.find(read.stream);
  if (found == tables_.streams.end()) return refuse(Code::not_found, "No such stream.");
  const StreamRow& stream = found->second;
  Basket basket(read.limit);
  for (auto it = stream.messages.lower_bound(read.from); it != stream.messages.end(); ++it)
    if (!basket.add(it->first, it->second)) break;
  Completion answer;
  hand_over(basket.rows(), answer);
  answer.head = stream.head;
  answer.tail = stream.tail();
  if (answer.messages.empty()) answer.due_in = delayed_in(read.stream);
  return answer;
}

Completion MemoryDatabase::run(const TakeOver& take) {
  Completion answer;
  const auto holder = tables_.holders.find(take.holder);
  if (holder == tables_.holders.end() || holder->second.count != take.seen) return answer;
  if (holder->second.ended) end_holder(holder->second);
  for (auto it = tables_.claims.begin(); it != tables_.claims.end();) {
    if (it->second.holder != take.holder) {
      ++it;
      continue;
    }
    const ClaimRow claim = std::move(it->second);
    it = tables_.claims.erase(it);
    ++answer.count;
    const u32 delivered = claim.lease.delivery - (claim.uncounted ? 1 : 0);
    for (std::size_t i = 0; i < claim.size(); ++i) {
      const std::size_t begin = i;
      while (i < claim.size() && !claim.is_done(i)) ++i;
      if (i > begin)
        retry(claim.lease.group, {0, claim.lease.stream, claim.lease.first + begin, claim.lease.first + i - 1,
                                  delivered, now(), "its consumer died or was cut off", claim.lease.priority});
    }
  }
  return answer;
}

}  // namespace vtx::test
