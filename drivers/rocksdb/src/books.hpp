/* SPDX-License-Identifier: MPL-2.0 */
//
// All rows of a database, in memory and written through, and how rows are found by what people call them.
#pragma once

#include "rows.hpp"
#include "table.hpp"

namespace vtx::rocks {

/// One thread at a time. Pointers and references stay good until their row is erased.
class Books {
 public:
  explicit Books(Disk& disk) : disk_(disk) {}

  /// Throws; corrupt when a row cannot be understood.
  void load();
  /// Puts all that changed into the disk's batch. False when nothing did.
  bool write();
  bool is_touched() const;

  StoreRow& store() { return store_; }  ///< written with every batch
  Id next_id() { return ++store_.last_id; }

  Table<Id, QueueRow> queues{'Q'};
  Table<Id, StreamRow> streams{'S'};
  Table<Id, GroupRow> groups{'G'};
  Table<CursorKey, CursorRow> cursors{'N'};
  Table<RetryKey, RetryRow> retries{'R'};
  Table<ClaimKey, ClaimRow> claims{'C'};
  Table<Producer, ProducerRow> producers{'P'};
  Table<std::string, OriginRow> origins{'O'};
  Table<HoldKey, HoldRow> holds{'H'};
  Table<RequeuedKey, RequeuedRow> requeued{'D'};
  Table<Id, HolderRow> holders{'L'};

  // Rows that others are found by are made and erased here. A find answers null when there is none.
  const QueueRow* find_queue(const std::string& name) const;
  QueueRow& make_queue(const std::string& name, driver::Declaration declared);
  const StreamRow* find_stream(Id queue, const std::string& kind, const std::string& peer, u64 priority) const;
  StreamRow& make_stream(Id queue, const std::string& kind, const std::string& peer, u64 priority);
  const GroupRow* find_group(Id queue, const driver::GroupName& name) const;
  GroupRow& make_group(Id queue, const driver::GroupName& name);
  void erase_stream(Id id);
  /// And its cursors, claims and retries.
  void erase_group(Id id);

  ClaimRow& make_claim(Id group, Id id, ClaimRow row);
  void erase_claim(const ClaimKey& key);

  /// All of a queue, in the order of their ids.
  std::vector<Id> streams_of(Id queue) const;
  /// Of one direction, from the top priority down.
  std::vector<const StreamRow*> streams_of(Id queue, const std::string& kind, const std::string& peer) const;
  std::vector<const StreamRow*> streams_of(const GroupRow& group) const {
    return streams_of(group.queue, group.kind, group.peer);
  }
  std::vector<Id> groups_of(Id queue) const;
  /// Those that read the direction of the stream.
  std::vector<Id> groups_of(const StreamRow& stream) const;
  Seq next_of(Id group, Id stream) const;

  /// Calls f(key, row) for the rows whose key begins with `group`, in their order.
  template <class Key, class Row, class F>
  static void each_of(const Table<Key, Row>& table, Id group, F f) {
    Key from{};
    std::get<0>(from) = group;
    for (auto it = table.all().lower_bound(from); it != table.all().end() && std::get<0>(it->first) == group;) {
      const auto& [key, row] = *it++;
      f(key, row);
    }
  }

 private:
  using StreamName = std::tuple<Id, std::string, std::string, u64>;          // queue, kind, peer, priority
  using GroupPlace = std::tuple<Id, std::string, std::string, std::string>;  // queue, kind, peer, name
  template <class Self, class F>
  static void each_table(Self& self, F f);
  void index();

  Disk& disk_;
  StoreRow store_;
  std::map<std::string, Id> queue_names_;
  std::map<StreamName, Id> stream_names_;
  std::map<GroupPlace, Id> group_names_;
};

/// True for the names of dead-letter queues.
inline bool is_dead_queue(const std::string& name) { return name.ends_with(".dead"); }

}  // namespace vtx::rocks
