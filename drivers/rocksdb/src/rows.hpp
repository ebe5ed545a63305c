/* SPDX-License-Identifier: MPL-2.0 */
//
// The rows of the books: the same nouns as the tables of the SQL stores. All of them are in memory, and each is a value of the column family
// `default` under a letter and its key (books.hpp). What is not named in fields() is of this run only.
//
// Bodies are not here: nothing in this file grows with the number of messages that wait.
#pragma once

#include <algorithm>

#include "codec.hpp"
#include "vtx/driver/names.hpp"

namespace vtx::rocks {

/// Of the whole database.
struct StoreRow {
  std::string id;    ///< random: which database it is
  u64 epoch = 1;     ///< new whenever it went back in time
  std::string life;  ///< random: which of several epochs of one number
  u64 mark = 0;      ///< moves with each write
  Id last_id = 0;
  static void fields(auto& row, auto& with) { with(row.id, row.epoch, row.life, row.mark, row.last_id); }
};

struct QueueRow {
  Id id = 0;
  std::string name;
  driver::Declaration declared;
  std::map<std::string, u64> counters;
  std::string roles;  ///< see vtx/driver/roles.hpp
  Id tended = 0;      ///< the stream at which the latest tend came to its end
  static void fields(auto& row, auto& with) {
    with(row.id, row.name, row.declared.retain, row.declared.limit, row.counters, row.roles, row.tended);
  }
};

/// The messages lie in batches, of which the first begins at or before the tail.
struct StreamRow {
  Id id = 0;
  Id queue = 0;
  std::string kind;
  std::string peer;
  u64 priority = 0;
  /// Main stream of a .dead queue: what is settled by anyone vanishes at once, so that there are holes. One message a batch.
  bool dead_letters = false;
  Seq head = 0;          ///< newest; outlives the messages
  Seq tail = 1;          ///< oldest retained; head + 1 when there is none
  Seq base = 1;          ///< where the batch begins in which the tail is: no reading looks before it
  Seq erased = 1;        ///< what lies before it is gone from the disk, too; at most `base`
  u64 count = 0;         ///< messages retained
  u64 bytes = 0;         ///< of their bodies
  u64 total = 0;         ///< bytes of all bodies that it ever had: each batch remembers what was before it
  u64 erased_bytes = 0;  ///< of these, gone from the disk, too
  StoreTime newest{};
  std::optional<Seq> fork{};  ///< head when the database went back in time; none: it did not
  u64 delayed = 0;            ///< messages not yet due
  u64 delayed_bytes = 0;      ///< of their bodies
  StoreTime delayed_first{};  ///< when the first of them is; meaningless without one
  static void fields(auto& row, auto& with) {
    with(row.id, row.queue, row.kind, row.peer, row.priority, row.dead_letters, row.head, row.tail, row.base,
         row.erased, row.count, row.bytes, row.total, row.erased_bytes, row.newest, row.fork, row.delayed,
         row.delayed_bytes, row.delayed_first);
  }
};

struct GroupRow {
  Id id = 0;
  Id queue = 0;
  std::string kind;
  std::string peer;
  std::string name;
  std::string filter;
  u32 max_deliveries = 0;
  u64 trimmed = 0;
  static void fields(auto& row, auto& with) {
    with(row.id, row.queue, row.kind, row.peer, row.name, row.filter, row.max_deliveries, row.trimmed);
  }
  driver::GroupName title() const { return {kind, peer, name}; }
};

/// The first sequence of a stream that was never leased to the group.
struct CursorRow {
  Seq next = 1;
  static void fields(auto& row, auto& with) { with(row.next); }
};
using CursorKey = std::tuple<Id, Id>;  ///< group, stream

/// first..last of a stream, to be leased again by the group once due. `first` moves on within a row.
struct RetryRow {
  Id stream = 0;
  Seq first = 0;
  Seq last = 0;
  u32 delivered = 0;
  std::string reason;
  static void fields(auto& row, auto& with) { with(row.stream, row.first, row.last, row.delivered, row.reason); }
};
using RetryKey =
    std::tuple<Id, u64, StoreTime, Seq, Id>;  ///< group, priority, due, first when it came, id: in the order of leasing

/// Open while it exists: a claim is erased when it closes, and an unknown claim is fenced.
struct ClaimRow {
  Id stream = 0;
  Id holder = 0;
  Seq first = 0;
  Seq last = 0;
  u32 delivery = 1;
  std::string reason;
  int priority = 0;
  bool uncounted = false;  ///< the holder's death is not held against the messages
  u64 number = 0;          ///< as ClaimNext::number
  std::vector<u64> done;
  static void fields(auto& row, auto& with) {
    with(row.stream, row.holder, row.first, row.last, row.delivery, row.reason, row.priority, row.uncounted, row.number,
         row.done);
  }
  std::size_t size() const { return last - first + 1; }
  bool is_done(std::size_t offset) const { return offset / 64 < done.size() && (done[offset / 64] >> offset % 64 & 1); }
  /// Adds to what is done. @return true when all is
  bool settle(const std::vector<u64>& more) {
    done.resize((size() + 63) / 64);
    bool all = true;
    for (std::size_t word = 0; word < done.size(); ++word) {
      const std::size_t bits = std::min<std::size_t>(size() - 64 * word, 64);
      const u64 mask = bits == 64 ? ~u64{0} : (u64{1} << bits) - 1;
      if (word < more.size()) done[word] |= more[word] & mask;
      all = all && done[word] == mask;
    }
    return all;
  }
};
using ClaimKey = std::tuple<Id, Id>;  ///< group, claim

/// A life that claims and names belong to.
struct HolderRow {
  std::string process;  ///< whose it is; see vtx/driver/process_name.hpp
  bool ended = false;
  StoreTime ended_at{};  ///< when that was noticed
  Ms lease{};
  static void fields(auto& row, auto& with) { with(row.process, row.ended, row.ended_at, row.lease); }
  /// Of beats. Begins anew with each owner of the database, which whoever watches takes for a sign of life.
  u64 count = 0;
  u64 claims = 0;                               ///< open ones
  std::map<std::pair<Id, u64>, Id> numbered{};  ///< open ones that had a number, by group and number
  driver::Steady heard{};                       ///< when it last beat, or was read from the disk
};

struct ProducerRow {
  u64 counter = 0;  ///< newest commit
  StoreTime used{};
  std::vector<std::pair<u64, std::vector<u32>>>
      fenced{};  ///< of the newest few commits that had any: counter and answer
  static void fields(auto& row, auto& with) { with(row.counter, row.used, row.fenced); }
};

/// Of a forward, by its origin: the newest sequence that came from there.
struct OriginRow {
  Seq mark = 0;
  static void fields(auto& row, auto& with) { with(row.mark); }
};

struct HoldRow {
  Id holder = 0;
  static void fields(auto& row, auto& with) { with(row.holder); }
};
using HoldKey = std::tuple<Id, std::string>;  ///< queue, name

/// A dead letter that went back to its group, which alone may have it now.
struct RequeuedRow {
  static void fields(auto&, auto&) {}
};
using RequeuedKey = std::tuple<Id, Seq>;  ///< stream of dead letters, sequence

}  // namespace vtx::rocks
