/* SPDX-License-Identifier: MPL-2.0 */
//
// The messages of streams on disk, in the batches in which they came. Key in the column family `messages`: stream, first sequence. Value:
//
//   | 1 | count | stored | bytes before | frames, expires, body size, properties size | … | body, properties | … |
//     ^ version                           once for each message                           likewise
//
// all numbers as varints, `stored` and `expires` in ms. "Bytes before" is how many bytes the bodies of all earlier batches of the stream had: so
// the size of any range is a difference, and retention by size, age or count is a bisection that reads no more than a few batches.
#pragma once

#include <functional>

#include "books.hpp"

namespace vtx::rocks {

/// On its way into a stream. Does not own its bytes.
struct NewMessage {
  std::string_view body;
  std::string_view properties;
  u32 frames = 1;
  StoreTime expires{};
};

/// As it lies in a stream; its bytes are good until the visit ends.
struct StoredMessage {
  Seq seq = 0;
  StoreTime stored{};
  u32 frames = 1;
  StoreTime expires{};
  std::string_view body;
  std::string_view properties;
};

/// A batch, taken apart. Refers to the bytes it was made of.
struct Batch {
  Seq first = 0;
  StoreTime stored{};
  u64 before = 0;
  std::vector<StoredMessage> messages;
  Seq last() const { return first + messages.size() - 1; }
};

/// Changes the counts in the streams' rows, which their callers have for editing. Throws DiskError. Reads what was written, not what waits in the disk's batch.
class MessageLog {
 public:
  explicit MessageLog(Disk& disk) : disk_(disk) {}

  /// At the stream's end, as stored at `now` or when its newest was, whichever is later.
  void append(StreamRow& stream, const std::vector<NewMessage>& messages, StoreTime now);
  /// Something has been appended or erased that reading does not show yet.
  bool is_pending() const { return pending_; }
  void was_written();

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

 private:
  void put(StreamRow& stream, std::span<const NewMessage> messages);
  /// The batch in which `seq` is, or the first one behind it. False: there is none.
  bool find(const StreamRow& stream, Seq seq, const std::function<void(const Batch&)>& visit) const;
  Seq bisect(const StreamRow& stream, const std::function<bool(const Batch&)>& is_late) const;
  void erase_behind(StreamRow& stream);
  bool is_erased(const StreamRow& stream, Seq seq) const;

  Disk& disk_;
  bool pending_ = false;
  std::map<std::pair<Id, Seq>, bool> letters_;  // what waits in the disk's batch: there, or erased
  /// By stream: up to where it was erased since its files were last looked for, and how many bytes of bodies.
  std::map<Id, std::pair<Seq, u64>> reclaimable_;
};

}  // namespace vtx::rocks
