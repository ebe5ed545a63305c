/* SPDX-License-Identifier: MPL-2.0 */
//
// The messages of streams on disk, in the batches in which they came. Key in the column family `messages`: stream, last sequence. Value:
//
//   | 2 | count | stored | bytes before | frames, expires, body size, properties size | … | body, properties | … |
//     ^ version                           once for each message                           likewise
//
// all numbers as varints, `stored` and `expires` in ms. The batch that a sequence is in is the first one at or behind it. (By their first sequences it
// would be the last one before; and RocksDB, which looks for that in each of its files, goes through all that was retired.) "Bytes before" is how many
// bytes the bodies of all earlier batches of the stream had: so the size of any range is a difference, and retention by size, age or count is a bisection
// that reads no more than a few batches.
#pragma once

#include <functional>

#include "books.hpp"

namespace vtx::rocks {

/// As it lies in a stream; its bytes are good until the visit ends.
struct StoredMessage {
  Seq seq = 0;
  StoreTime stored{};
  u32 frames = 1;
  StoreTime expires{};
  std::string_view body;
  std::string_view properties;  ///< right behind the body
};

/// The messages of a batch, one after the other: most who look at a batch want few of them. Refers to the bytes it is made of.
class Batch {
 public:
  /// Throws corrupt, unless the bytes are a batch to the last one: so that nothing leads out of them.
  Batch(std::string_view key, std::string_view value);

  Seq first() const { return first_; }
  Seq last() const { return last_; }
  StoreTime stored() const { return message_.stored; }
  u64 before() const { return before_; }  ///< bytes of all bodies of earlier batches
  u64 bodies() const { return bodies_; }  ///< bytes of its own
  u64 bodies_before(Seq seq) const;       ///< of these, those of messages before `seq`; asked before next() is

  /// The next message, from the first on; null behind the last. Good until the next call.
  const StoredMessage* next();

 private:
  Seq first_ = 0;
  Seq last_ = 0;
  u64 before_ = 0;
  u64 bodies_ = 0;
  std::string_view heads_;  ///< of the messages to come
  const char* at_ = nullptr;
  StoredMessage message_;
};

/// Changes the counts in the streams' rows, which their callers have for editing. Throws DiskError. Reads what was written, not what waits in the disk's batch.
class MessageLog {
 public:
  explicit MessageLog(Disk& disk) : disk_(disk) {}

  /// At the stream's end, as stored at `now` or when its newest was, whichever is later. A message's ttl counts from then; without one it expires when it says.
  void append(StreamRow& stream, std::span<const driver::Message> messages, StoreTime now);
  /// What was appended and erased is there for reading now.
  void was_written();

  /// Calls f(batch) for those that from..to lie in, in order, until it says false. They may have messages before and behind, the first one only such,
  /// and erased letters.
  void walk_batches(const StreamRow& stream, Seq from, Seq to, const std::function<bool(Batch&)>& visit) const;
  /// Calls f(message) for those retained in from..to, in order, until it says false.
  void walk(const StreamRow& stream, Seq from, Seq to, const std::function<bool(const StoredMessage&)>& visit) const;
  /// The first one retained at or behind `from`; head + 1 when there is none.
  Seq first_from(const StreamRow& stream, Seq from) const;
  bool contains(const StreamRow& stream, Seq seq) const { return first_from(stream, seq) == seq && seq <= stream.head; }
  /// When a message was stored that is there.
  StoreTime stored_at(const StreamRow& stream, Seq seq) const;
  /// The first one that was stored at `time` or later; head + 1 when there is none.
  Seq first_since(const StreamRow& stream, StoreTime time) const;
  /// The first one from which on all bodies have at most so many bytes.
  Seq first_within(const StreamRow& stream, u64 bytes) const;

  /// Retires all before `tail`, which is at most head + 1.
  void trim(StreamRow& stream, Seq tail);
  /// Removes a dead letter that is there.
  void erase_letter(StreamRow& stream, Seq seq);
  void erase_all(const StreamRow& stream);
  /// A dead letter that the disk still shows.
  bool is_erased(const StreamRow& stream, Seq seq) const;

 private:
  void put(StreamRow& stream, std::span<const driver::Message> messages);
  /// The batch in which `seq` is, or the first one behind it. False: there is none.
  bool find(const StreamRow& stream, Seq seq, const std::function<void(Batch&)>& visit) const;
  Seq bisect(const StreamRow& stream, const std::function<bool(const Batch&)>& is_late) const;
  void erase_behind(StreamRow& stream);

  Disk& disk_;
  std::vector<std::string_view> parts_;         ///< of the batch at hand
  std::map<std::pair<Id, Seq>, bool> letters_;  // what waits in the disk's batch: there, or erased
  /// By stream: up to where it was erased since its files were last looked for, and how many bytes of bodies.
  std::map<Id, std::pair<Seq, u64>> reclaimable_;
};

}  // namespace vtx::rocks
