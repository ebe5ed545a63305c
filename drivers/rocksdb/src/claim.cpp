/* SPDX-License-Identifier: MPL-2.0 */
//
// Leasing: due retries first, then fresh messages, from the top priority down. And reading without leasing.
//
// A DiskError thrown in here leaves the books as consistent as they were: the messages are read before the claim is made.
#include <algorithm>
#include <cstring>

#include "ledger.hpp"

namespace vtx::rocks {

using driver::ClaimNext;

namespace {

/// Takes messages of a stream into the engine's buffer, as many as the limit allows; the first always fits. The bytes of neighbours are copied as one.
class Basket {
 public:
  Basket(const driver::Limit& limit, Completion& answer) : limit_(limit), answer_(answer) {
    limit_.messages = std::min(limit_.messages, driver::kMaxBatch);
  }
  /// False when it is full. Refers to the message's bytes until keep().
  bool add(const StoredMessage& stored) {
    auto& messages = answer_.messages;
    const bool full = messages.size() >= limit_.messages || bodies_ + stored.body.size() > limit_.bytes ||
                      (!messages.empty() && stored.seq - messages.front().seq >= driver::kMaxBatch);
    if (full && !messages.empty()) return false;
    if (stored.body.data() != end_) keep();  // something between was passed over
    if (pending_ == messages.size()) begin_ = stored.body.data();
    end_ = stored.body.data() + stored.body.size() + stored.properties.size();
    bodies_ += stored.body.size();
    driver::Message& message = messages.emplace_back();
    message.body = bytes_of(stored.body);
    message.properties = stored.properties;
    message.frames = stored.frames;
    message.seq = stored.seq;
    message.stored = stored.stored;
    message.expires = stored.expires;
    return true;
  }
  /// Copies what was added since the last time, while its bytes are good.
  void keep() {
    if (pending_ == answer_.messages.size()) return;
    const auto size = static_cast<std::size_t>(end_ - begin_);
    reserve(used_ + size);
    std::byte* to = answer_.buffer.bytes.get() + used_;
    if (size > 0) std::memcpy(to, begin_, size);
    used_ += size;
    for (; pending_ < answer_.messages.size(); ++pending_)
      move(answer_.messages[pending_], reinterpret_cast<const std::byte*>(begin_), to);
    end_ = nullptr;
  }
  /// The buffer is as large as what is in it.
  void finish() {
    keep();
    if (answer_.buffer.size != used_) resize(used_);
  }

 private:
  /// The first batch mostly has all that is wanted; where many small ones have it, room is made ahead.
  void reserve(std::size_t size) {
    if (size > answer_.buffer.size) resize(used_ == 0 ? size : std::max(size, 2 * answer_.buffer.size));
  }
  void resize(std::size_t size) {
    const driver::Buffer old = std::exchange(answer_.buffer, {std::make_unique_for_overwrite<std::byte[]>(size), size});
    if (used_ > 0) std::memcpy(answer_.buffer.bytes.get(), old.bytes.get(), used_);
    for (std::size_t i = 0; i < pending_; ++i) move(answer_.messages[i], old.bytes.get(), answer_.buffer.bytes.get());
  }
  /// What lay in `from` lies likewise in `to`.
  static void move(driver::Message& message, const std::byte* from, const std::byte* to) {
    message.body = {to + (message.body.data() - from), message.body.size()};
    const auto* properties = reinterpret_cast<const std::byte*>(message.properties.data());
    message.properties = {reinterpret_cast<const char*>(to + (properties - from)), message.properties.size()};
  }

  driver::Limit limit_;
  Completion& answer_;
  std::size_t bodies_ = 0;
  std::size_t used_ = 0;     // of the buffer
  std::size_t pending_ = 0;  // the first message that is not in the buffer
  const char* begin_ = nullptr;
  const char* end_ = nullptr;  // of what is to be copied
};

}  // namespace

/// Copies messages of from..to, as many as the limit allows.
void Ledger::hand_over(const StreamRow& stream, Seq from, Seq to, const driver::Limit& limit, const GroupRow* group,
                       Completion& answer, bool whole) {
  from = std::max(from, stream.tail);
  Basket basket(limit, answer);
  const auto is_wanted = [&](const StoredMessage& message) {
    return message.seq >= from && (!stream.dead_letters || (!log_.is_erased(stream, message.seq) &&
                                                            (!group || is_offered(*group, stream, message.seq))));
  };
  const auto take = [&](Batch& batch) {
    while (const StoredMessage* message = batch.next()) {
      if (message->seq <= to && (!is_wanted(*message) || basket.add(*message))) continue;
      basket.keep();
      return false;
    }
    basket.keep();
    return true;
  };
  try {
    log_.walk_batches(stream, from, to, take);
  } catch (const DiskError&) {
    // What lies before the damage is not held up by it; but of a claim made before, none may be left out.
    if (whole || answer.messages.empty()) throw;
  }
  basket.finish();
  answer.head = stream.head;
  answer.tail = stream.tail;
  if (!answer.messages.empty()) sync_ = std::max(sync_, unsynced_.of(stream.id, answer.messages.back().seq));
}

/// What is due already goes first, in the order of the stream however it came back.
void Ledger::retry(Id group, u64 priority, StoreTime due, RetryRow row) {
  if (due <= now()) due = {};
  books_.retries.make({group, priority, due, row.first, books_.next_id()}) = std::move(row);
  waiting_.ring_group(books_.groups.at(group));
}

/// False for what the group must pass over: removed, or requeued to another group.
bool Ledger::is_offered(const GroupRow& group, const StreamRow& stream, Seq seq) const {
  return stream.queue != group.queue || !books_.requeued.find({stream.id, seq});
}

/// The first sequence in from..to that the group may have; 0 none.
Seq Ledger::next_offered(const GroupRow& group, const StreamRow& stream, Seq from, Seq to) const {
  to = std::min(to, stream.head);
  for (Seq seq = log_.first_from(stream, from); seq <= to; seq = log_.first_from(stream, seq + 1))
    if (!stream.dead_letters || is_offered(group, stream, seq)) return seq;
  return 0;
}

/// Makes a claim of what the group may have in the range, whose first it may have.
void Ledger::lease(const ClaimNext& wish, ClaimRow row, Completion& answer) {
  const GroupRow& group = books_.groups.at(wish.group);
  hand_over(books_.streams.at(row.stream), row.first, row.last, wish.limit, &group, answer);
  if (answer.messages.empty())
    throw DiskError({Code::corrupt, "stream " + std::to_string(row.stream) + ": message " + std::to_string(row.first) +
                                        " is missing; trim the queue behind it, or restore it from a backup"});
  const Id id = books_.next_id();
  row.last = answer.messages.back().seq;
  row.holder = wish.holder;
  row.uncounted = wish.uncounted;
  row.number = wish.number;
  answer.claim = {id, wish.group, row.stream, row.first, row.last, row.delivery, row.reason, row.priority};
  books_.make_claim(wish.group, id, std::move(row));
  if (wish.number != 0) books_.holders.recall(wish.holder).numbered[{wish.group, wish.number}] = id;
}

/// @return true when a due retry decided the answer
bool Ledger::lease_retry(const ClaimNext& wish, const GroupRow& group, u64 priority, Completion& answer) {
  while (true) {
    const auto found = books_.retries.all().lower_bound({group.id, priority, StoreTime{}, 0, 0});
    if (found == books_.retries.all().end()) return false;
    const RetryKey key = found->first;
    const auto& [of, with, due, place, id] = key;
    if (of != group.id || with != priority || due > now()) return false;
    const RetryRow& row = found->second;
    const StreamRow& stream = books_.streams.at(row.stream);
    const Seq first = next_offered(group, stream, row.first, row.last);
    // Retention may have removed some meanwhile, and what is missing of dead letters somebody settled.
    if (!stream.dead_letters) count_trimmed(group, (first == 0 ? row.last + 1 : first) - row.first);
    if (first == 0) {
      books_.retries.erase(key);
      continue;
    }
    if (first != row.first) books_.retries.edit(key).first = first;
    if (row.delivered > 0 && !wish.alone) {
      answer.retry_waiting = true;
      return true;
    }
    ClaimRow claim;
    claim.stream = row.stream;
    claim.first = first;
    claim.last = row.delivered > 0 ? first : row.last;
    claim.delivery = row.delivered + 1;
    claim.reason = row.reason;
    claim.priority = static_cast<int>(priority);
    lease(wish, std::move(claim), answer);
    RetryRow& left = books_.retries.edit(key);
    left.first = answer.claim->last + 1;
    if (left.first > left.last) books_.retries.erase(key);
    return true;
  }
}

bool Ledger::lease_fresh(const ClaimNext& wish, const GroupRow& group, const StreamRow& stream, Completion& answer) {
  const Seq first = next_offered(group, stream, books_.next_of(group.id, stream.id), stream.head);
  if (first == 0) return false;
  ClaimRow claim;
  claim.stream = stream.id;
  claim.first = first;
  claim.last = stream.head;
  claim.priority = static_cast<int>(stream.priority);
  lease(wish, std::move(claim), answer);
  books_.cursors.make({group.id, stream.id}).next = answer.claim->last + 1;
  return true;
}

/// Says what a further claim would find now, and when more falls due.
void Ledger::look_ahead(const GroupRow& group, Completion& answer) {
  const auto sooner = [&answer](Ms in) { answer.due_in = std::min(answer.due_in.value_or(Ms::max()), in); };
  for (const StreamRow* stream : books_.streams_of(group)) {
    if (const auto in = delayed_in(*stream)) sooner(*in);
    if (!answer.more)
      answer.more = next_offered(group, *stream, books_.next_of(group.id, stream->id), stream->head) != 0;
  }
  for (u64 priority = 0; priority <= u64{driver::kHighestPriority}; ++priority) {
    const auto& retries = books_.retries.all();
    const auto at = [&](StoreTime due) { return retries.lower_bound({group.id, priority, due, 0, 0}); };
    const auto is_ours = [&](auto it) {
      return it != retries.end() && std::get<0>(it->first) == group.id && std::get<1>(it->first) == priority;
    };
    if (const auto first = at({}); is_ours(first) && std::get<2>(first->first) <= now()) answer.more = true;
    if (const auto later = at(now() + Ms(1)); is_ours(later)) {
      answer.retry_later = true;
      sooner(std::get<2>(later->first) - now());
    }
  }
}

/// The very claim again.
Completion Ledger::repeat_claim(const GroupRow& group, Id id) {
  Completion answer;
  const ClaimRow& claim = books_.claims.at({group.id, id});
  const driver::Limit all{driver::kMaxBatch, SIZE_MAX};
  hand_over(books_.streams.at(claim.stream), claim.first, claim.last, all, &group, answer, true);
  answer.claim = {id, group.id, claim.stream, claim.first, claim.last, claim.delivery, claim.reason, claim.priority};
  return answer;
}

Completion Ledger::run(const ClaimNext& wish) {
  const GroupRow* group = books_.groups.find(wish.group);
  if (!group) return refuse(Code::not_found, "No such group.");
  if (!lives(wish.holder)) return refuse(Code::fenced, "This holder has ended: become a new one.");
  const auto& numbered = books_.holders.at(wish.holder).numbered;
  const auto known = numbered.find({wish.group, wish.number});
  if (known != numbered.end()) return repeat_claim(*group, known->second);
  Completion answer;
  const auto streams = books_.streams_of(*group);
  answer.more = fire(streams);
  for (const StreamRow* stream : streams)
    if (lease_retry(wish, *group, stream->priority, answer) || lease_fresh(wish, *group, *stream, answer)) break;
  look_ahead(*group, answer);
  std::set<Id>& waiting = waiting_.caller().groups;
  if (answer.claim)
    waiting.erase(wish.group);
  else
    waiting.insert(wish.group);
  return answer;
}

Completion Ledger::run(const driver::StopWaiting& stop) {
  waiting_.caller().groups.erase(stop.group);
  return {};
}

Completion Ledger::run(const driver::Read& read) {
  const StreamRow* stream = books_.streams.find(read.stream);
  if (!stream) return refuse(Code::not_found, "No such stream.");
  Completion answer;
  hand_over(*stream, read.from, stream->head, read.limit, nullptr, answer);
  if (!answer.messages.empty()) return answer;
  answer.due_in = delayed_in(*stream);
  if (read.wait) waiting_.caller().readers.insert(read.stream);
  return answer;
}

}  // namespace vtx::rocks
