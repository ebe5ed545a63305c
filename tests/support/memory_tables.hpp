/* SPDX-License-Identifier: MPL-2.0 */
//
// The rows of the in-memory store: the same nouns as the tables of the SQL stores, as plain copyable structs, so
// that a copy of Tables is a snapshot (what a loss of power goes back to).
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "vtx/driver/names.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx::test {

using driver::Id;
using driver::Ms;
using driver::Seq;
using driver::StoreTime;
using driver::u32;
using driver::u64;

struct QueueRow {
  Id id = 0;
  std::string name;
  driver::Declaration declared;
  std::map<std::string, u64> counters;
  std::string roles;  ///< see vtx/driver/roles.hpp
  Id tended = 0;      ///< the stream at which the latest tend came to its end
};

struct MessageRow {
  std::vector<std::byte> body;
  u32 frames = 1;
  std::string properties;
  StoreTime stored{};
  StoreTime expires{};
};

struct StreamRow {
  Id id = 0;
  Id queue = 0;
  std::string kind;
  std::string peer;
  int priority = 0;
  bool dead_letters = false;  ///< main stream of a .dead queue: what is settled by anyone vanishes at once
  Seq head = 0;               ///< outlives the messages: an emptied stream goes on
  StoreTime newest{};
  std::optional<Seq> fork;  ///< head when the database went back in time; none: it did not
  std::map<Seq, std::shared_ptr<const MessageRow>> messages;
  std::set<Seq> requeued;  ///< dead letters that went back to their group, which alone may have them now

  Seq tail() const { return messages.empty() ? head + 1 : messages.begin()->first; }
};

/// A message that is not yet due.
struct DelayedRow {
  Id stream = 0;
  MessageRow message;
};

/// first..last of a stream, to be leased again by the group once due.
struct RetryRow {
  Id id = 0;
  Id stream = 0;
  Seq first = 0;
  Seq last = 0;
  u32 delivered = 0;
  StoreTime due{};
  std::string reason;
  int priority = 0;
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
  std::map<Id, Seq> next;                                      ///< by stream: first sequence never leased; absent 1
  std::map<std::tuple<StoreTime, Seq, Id>, RetryRow> retries;  ///< of one priority, in the order of leasing

  driver::GroupName title() const { return {kind, peer, name}; }
  Seq next_of(Id stream) const {
    const auto found = next.find(stream);
    return found == next.end() ? 1 : found->second;
  }
};

/// Open while it exists: a claim is erased when it closes, and an unknown claim is fenced.
struct ClaimRow {
  driver::Claim lease;
  Id holder = 0;
  bool uncounted = false;  ///< the holder's death is not held against the messages
  std::vector<u64> done;

  std::size_t size() const { return lease.last - lease.first + 1; }
  bool is_done(std::size_t offset) const { return offset / 64 < done.size() && (done[offset / 64] >> offset % 64 & 1); }
};

struct HolderRow {
  Id id = 0;
  u64 count = 0;
  Ms lease{};
  bool ended = false;
  StoreTime ended_at{};  ///< when that was noticed
};

struct ProducerRow {
  u64 counter = 0;                         ///< newest commit
  std::map<u64, std::vector<u32>> fenced;  ///< by commit: what was answered, where it was not empty
};

struct Tables {
  u64 mark =
      0;  ///< moves with every operation: one that is lower than it was shows that the database went back in time
  u64 epoch = 1;  ///< new when it did
  std::map<Id, QueueRow> queues;
  std::map<Id, StreamRow> streams;
  std::map<std::pair<StoreTime, Id>, DelayedRow> delayed;  ///< in the order in which they are due
  std::map<Id, GroupRow> groups;
  std::map<Id, ClaimRow> claims;
  std::map<Id, HolderRow> holders;
  std::map<std::array<std::byte, 16>, ProducerRow> producers;
  std::map<std::string, Seq> marks;
  std::map<std::pair<Id, std::string>, Id> holds;  ///< by queue and name
};

}  // namespace vtx::test
