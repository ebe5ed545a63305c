/* SPDX-License-Identifier: MPL-2.0 */
#include "message_log.hpp"

#include <algorithm>

namespace vtx::rocks {
namespace {

constexpr u64 kVersion = 2;
/// Ranges are erased in pieces of so many messages or bytes: each piece is a tombstone that readings around it have to look at.
constexpr u64 kErasedAtOnce = 4096;
constexpr u64 kErasedBytesAtOnce = u64{16} << 20;
/// So many bytes erased of a stream, and the files that held them are looked for.
constexpr u64 kReclaimedAtOnce = u64{32} << 20;

KeyRange range_of(Id stream, Seq from, Seq to) { return {key_of(stream, from), key_of(stream, to)}; }
/// What may be in the stream from the batch on that `from` is in.
KeyRange range_of(const StreamRow& stream, Seq from) { return range_of(stream.id, from, stream.head + 1); }

[[noreturn]] void damaged(Id stream, Seq last) {
  throw DiskError({Code::corrupt, "stream " + std::to_string(stream) + ": the batch of messages up to " +
                                      std::to_string(last) +
                                      " cannot be understood; trim the queue behind it, or restore it from a backup"});
}

StoreTime time_of(u64 ms) { return StoreTime(Ms(static_cast<Ms::rep>(ms))); }

/// What stands before the bodies, once for each message.
struct Head {
  u64 frames = 0, expires = 0, body = 0, properties = 0;
};

bool take_head(std::string_view& in, Head& head) {
  if (in.size() >= 4 && ((in[0] | in[1] | in[2] | in[3]) & 0x80) == 0) {  // most are four bytes
    head = {static_cast<u64>(in[0]), static_cast<u64>(in[1]), static_cast<u64>(in[2]), static_cast<u64>(in[3])};
    in.remove_prefix(4);
    return true;
  }
  return take_number(in, head.frames) && take_number(in, head.expires) && take_number(in, head.body) &&
         take_number(in, head.properties);
}

Seq last_of(std::string_view key) {
  Id stream = 0;
  Seq last = 0;
  if (!take_key(key, stream) || !take_key(key, last)) damaged(0, 0);
  return last;
}

}  // namespace

Batch::Batch(std::string_view key, std::string_view value) {
  Id stream = 0;
  u64 version = 0, count = 0, stored = 0;
  if (!take_key(key, stream) || !take_key(key, last_)) damaged(0, 0);
  if (!take_number(value, version) || version != kVersion || !take_number(value, count) ||
      !take_number(value, stored) || !take_number(value, before_) || count == 0 || count > driver::kMaxBatch ||
      count > last_)
    damaged(stream, last_);
  first_ = last_ - count + 1;
  message_.stored = time_of(stored);
  message_.seq = first_ - 1;
  heads_ = value;
  u64 rest = 0;
  for (u64 i = 0; i < count; ++i) {
    Head head;
    // One by one, since the sum of what is damaged may be anything.
    if (!take_head(value, head) || head.body > value.size() || head.properties > value.size()) damaged(stream, first_);
    bodies_ += head.body;
    rest += head.body + head.properties;
  }
  if (rest != value.size()) damaged(stream, last_);
  heads_.remove_suffix(value.size());
  at_ = value.data();
}

const StoredMessage* Batch::next() {
  Head head;
  if (heads_.empty() || !take_head(heads_, head)) return nullptr;
  ++message_.seq;
  message_.frames = static_cast<u32>(head.frames);
  message_.expires = time_of(head.expires);
  message_.body = {at_, head.body};
  message_.properties = {at_ + head.body, head.properties};
  at_ += head.body + head.properties;
  return &message_;
}

u64 Batch::bodies_before(Seq seq) const {
  Batch rest = *this;
  u64 sum = 0;
  for (const StoredMessage* message = rest.next(); message && message->seq < seq; message = rest.next())
    sum += message->body.size();
  return sum;
}

void MessageLog::append(StreamRow& stream, std::span<const driver::Message> all, StoreTime now) {
  stream.newest = std::max(stream.newest, now);
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    std::size_t bytes = 0;
    for (; end < all.size(); ++end) {
      bytes += all[end].body.size();
      const bool full = stream.dead_letters || bytes > driver::kMaxBatchBytes || end - begin == driver::kMaxBatch;
      if (full && end > begin) break;
    }
    put(stream, all.subspan(begin, end - begin));
  }
}

void MessageLog::put(StreamRow& stream, std::span<const driver::Message> messages) {
  std::string header;
  header.reserve(32 + 6 * messages.size());
  put_number(header, kVersion);
  put_number(header, messages.size());
  put_number(header, static_cast<u64>(stream.newest.time_since_epoch().count()));
  put_number(header, stream.total);
  parts_.assign(1, {});
  for (const driver::Message& message : messages) {
    const StoreTime expires = message.ttl > Ms::zero() ? stream.newest + message.ttl : message.expires;
    put_number(header, message.frames);
    put_number(header, static_cast<u64>(expires.time_since_epoch().count()));
    put_number(header, message.body.size());
    put_number(header, message.properties.size());
    parts_.push_back(text_of(message.body));
    if (!message.properties.empty()) parts_.push_back(message.properties);
    stream.total += message.body.size();
    stream.bytes += message.body.size();
  }
  parts_.front() = header;
  disk_.put(Family::messages, key_of(stream.id, stream.head + messages.size()), parts_);
  if (stream.dead_letters) letters_[{stream.id, stream.head + 1}] = true;
  if (stream.count == 0) stream.tail = stream.base = stream.head + 1;
  stream.head += messages.size();
  stream.count += messages.size();
}

void MessageLog::was_written() {
  letters_.clear();
  for (auto it = reclaimable_.begin(); it != reclaimable_.end();) {
    const auto& [end, bytes] = it->second;
    if (bytes < kReclaimedAtOnce) {
      ++it;
      continue;
    }
    // Files go at once; what says that nobody needs them must not be lost behind them.
    disk_.sync();
    disk_.reclaim(Family::messages, range_of(it->first, 0, end));
    it = reclaimable_.erase(it);
  }
}

void MessageLog::walk_batches(const StreamRow& stream, Seq from, Seq to,
                              const std::function<bool(Batch&)>& visit) const {
  from = std::max(from, stream.tail);
  to = std::min(to, stream.head);
  if (from > to || stream.count == 0) return;
  Cursor cursor(disk_, Family::messages, range_of(stream, from));
  for (cursor.seek(key_of(stream.id, from)); cursor.valid(); cursor.next()) {
    Batch batch(cursor.key(), cursor.value());
    if (batch.first() > to || !visit(batch)) return;
  }
}

void MessageLog::walk(const StreamRow& stream, Seq from, Seq to,
                      const std::function<bool(const StoredMessage&)>& visit) const {
  from = std::max(from, stream.tail);
  walk_batches(stream, from, to, [&](Batch& batch) {
    while (const StoredMessage* message = batch.next()) {
      if (message->seq < from || is_erased(stream, message->seq)) continue;
      if (message->seq > to || !visit(*message)) return false;
    }
    return true;
  });
}

Seq MessageLog::first_from(const StreamRow& stream, Seq from) const {
  from = std::max(from, stream.tail);
  if (from > stream.head || stream.count == 0) return stream.head + 1;
  if (!stream.dead_letters) return from;
  Seq found = stream.head + 1;
  for (auto it = letters_.lower_bound({stream.id, from}); it != letters_.end() && it->first.first == stream.id; ++it)
    if (it->second) {
      found = it->first.second;
      break;
    }
  Cursor cursor(disk_, Family::messages, range_of(stream.id, from, found));
  for (cursor.seek(key_of(stream.id, from)); cursor.valid(); cursor.next())
    if (const Seq seq = last_of(cursor.key()); !is_erased(stream, seq)) return seq;
  return found;
}

bool MessageLog::is_erased(const StreamRow& stream, Seq seq) const {
  const auto found = letters_.find({stream.id, seq});
  return found != letters_.end() && !found->second;
}

bool MessageLog::find(const StreamRow& stream, Seq seq, const std::function<void(Batch&)>& visit) const {
  if (stream.count == 0) return false;
  seq = std::max(seq, stream.base);
  Cursor cursor(disk_, Family::messages, range_of(stream, seq));
  cursor.seek(key_of(stream.id, seq));
  if (!cursor.valid()) return false;
  Batch batch(cursor.key(), cursor.value());
  visit(batch);
  return true;
}

StoreTime MessageLog::stored_at(const StreamRow& stream, Seq seq) const {
  StoreTime stored{};
  find(stream, seq, [&](const Batch& batch) { stored = batch.stored(); });
  return stored;
}

/// The first sequence of the first batch that is late, where all behind a late one are.
Seq MessageLog::bisect(const StreamRow& stream, const std::function<bool(const Batch&)>& is_late) const {
  Seq low = stream.base;       // nothing before it is late
  Seq high = stream.head + 1;  // nothing from it on is not
  while (low < high) {
    Seq first = high, last = high;
    bool late = true;
    find(stream, low + (high - low) / 2, [&](const Batch& batch) {
      first = batch.first();
      last = batch.last();
      late = is_late(batch);
    });
    if (!late)
      low = last + 1;
    else
      high = std::min(first, low + (high - low) / 2);  // with holes, the batch found may lie behind the middle
  }
  return high;
}

Seq MessageLog::first_since(const StreamRow& stream, StoreTime time) const {
  const Seq found = bisect(stream, [time](const Batch& batch) { return batch.stored() >= time; });
  return first_from(stream, found);
}

Seq MessageLog::first_within(const StreamRow& stream, u64 bytes) const {
  if (stream.bytes <= bytes) return stream.tail;
  // The first batch of which something is within: the batch after which there is no more than allowed.
  Seq kept = stream.head + 1;
  const u64 least = stream.total - bytes;  // bytes before the first that stays
  const Seq found = bisect(stream, [&](const Batch& batch) { return batch.before() + batch.bodies() >= least; });
  if (found > stream.head) return kept;
  find(stream, found, [&](Batch& batch) {
    u64 before = batch.before();
    kept = batch.last() + 1;
    while (const StoredMessage* message = batch.next()) {
      if (before >= least) {
        kept = message->seq;
        return;
      }
      before += message->body.size();
    }
  });
  return first_from(stream, kept);
}

void MessageLog::trim(StreamRow& stream, Seq tail) {
  if (tail <= stream.tail) return;
  if (stream.dead_letters) {
    while (stream.count > 0 && stream.tail < tail) erase_letter(stream, stream.tail);
    return;
  }
  Seq base = tail;
  u64 before = stream.total;
  if (tail <= stream.head) {
    Cursor cursor(disk_, Family::messages, range_of(stream, tail));
    cursor.seek(key_of(stream.id, tail));
    if (!cursor.valid()) damaged(stream.id, tail);
    const Batch batch(cursor.key(), cursor.value());
    if (batch.first() > tail) damaged(stream.id, tail);
    base = batch.first();
    before = batch.before() + batch.bodies_before(tail);
  }
  stream.tail = tail;
  stream.base = base;
  stream.count = stream.head + 1 - tail;
  stream.bytes = stream.total - before;
  erase_behind(stream);
}

/// Takes off the disk what lies before the base, when it is enough to be worth it.
void MessageLog::erase_behind(StreamRow& stream) {
  const u64 bytes = stream.total - stream.bytes - stream.erased_bytes;
  if (stream.base - stream.erased < kErasedAtOnce && bytes < kErasedBytesAtOnce) return;
  disk_.erase(Family::messages, range_of(stream.id, stream.erased, stream.base));
  stream.erased = stream.base;
  stream.erased_bytes += bytes;
  auto& [end, erased] = reclaimable_[stream.id];
  end = stream.erased;
  erased += bytes;
}

void MessageLog::erase_letter(StreamRow& stream, Seq seq) {
  u64 size = 0;
  find(stream, seq, [&](const Batch& batch) { size = batch.bodies(); });
  disk_.erase(Family::messages, key_of(stream.id, seq));
  letters_[{stream.id, seq}] = false;
  --stream.count;
  stream.bytes -= std::min(size, stream.bytes);
  if (seq != stream.tail) return;
  stream.tail = stream.base = stream.erased = first_from(stream, seq + 1);
}

void MessageLog::erase_all(const StreamRow& stream) {
  disk_.erase(Family::messages, range_of(stream.id, 0, ~u64{0}));
  disk_.erase(Family::delayed, range_of(stream.id, 0, ~u64{0}));
}

}  // namespace vtx::rocks
