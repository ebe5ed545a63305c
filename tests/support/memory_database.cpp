/* SPDX-License-Identifier: MPL-2.0 */
//
// What concerns the database as a whole: its sessions, its clock, its doorbell, its loss of power, and holders.
#include "support/memory_database.hpp"

#include <algorithm>

namespace vtx::test {

using driver::Beat;
using driver::Completion;

void MemoryDatabase::remember_synced() {
  const std::lock_guard lock(mutex_);
  synced_ = tables_;
}

void MemoryDatabase::lose_power() {
  const std::lock_guard lock(mutex_);
  if (synced_) tables_ = *synced_;
  newest_mark_ = tables_.mark;  // the power takes everybody's memory with it: no new epoch
  for (auto& [id, holder] : tables_.holders) holder.ended = true;
  for (Attachment* store : attached_) {
    store->cut = true;
    store->wake();
  }
}

Status MemoryDatabase::attach(Attachment& store, bool create) {
  const std::lock_guard lock(mutex_);
  if (!created_ && !create) return Status(Code::not_found, "No such memory database: send to it first.");
  created_ = true;
  store.went_back = begin_epoch_if_it_went_back();
  store.epoch = tables_.epoch;
  store.cut = false;
  store.changed.clear();
  attached_.insert(&store);
  return {};
}

void MemoryDatabase::detach(Attachment& store, bool ends_holders) {
  const std::lock_guard lock(mutex_);
  attached_.erase(&store);
  if (!ends_holders) return;
  for (const Id holder : std::exchange(store.holders, {})) end(holder);
}

void MemoryDatabase::end_holders(std::span<const Id> holders) {
  const std::lock_guard lock(mutex_);
  for (const Id holder : holders) end(holder);
}

void MemoryDatabase::end(Id holder) {
  const auto row = tables_.holders.find(holder);
  if (row != tables_.holders.end()) row->second.ended = true;
}

bool MemoryDatabase::own() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(owned_, true)) return false;
  ++times_owned_;
  return true;
}

u64 MemoryDatabase::times_owned() {
  const std::lock_guard lock(mutex_);
  return times_owned_;
}

void MemoryDatabase::disown() {
  const std::lock_guard lock(mutex_);
  owned_ = false;
}

Completion MemoryDatabase::run(Attachment& store, const driver::Operation& operation) {
  const std::lock_guard lock(mutex_);
  if (begin_epoch_if_it_went_back() || store.epoch != tables_.epoch)
    return refuse(Code::lost, "The database went back in time: the session is over.");
  caller_ = &store;
  Completion answer = std::visit([this](const auto& what) { return run(what); }, operation);
  caller_ = nullptr;
  newest_mark_ = ++tables_.mark;
  const auto* commit = std::get_if<driver::Commit>(&operation);
  if (synced_ && commit && commit->sync && answer.status.ok()) synced_ = tables_;
  return answer;
}

std::set<std::string> MemoryDatabase::take_changed(Attachment& store, bool& cut) {
  const std::lock_guard lock(mutex_);
  (void)begin_epoch_if_it_went_back();
  cut = std::exchange(store.cut, false);
  return std::exchange(store.changed, {});
}

/// The store's clock: the machine's, but never going back.
StoreTime MemoryDatabase::now() {
  newest_ = std::max(newest_, clock_.wall());
  return newest_;
}

/// Tells the other stores. The caller itself knows what it did.
void MemoryDatabase::ring(Id queue) {
  for (Attachment* store : attached_) {
    if (store == caller_) continue;
    store->changed.insert(tables_.queues.at(queue).name);
    store->wake();
  }
}

/// Who waits in the caller's own store, too: what came was not of its doing.
void MemoryDatabase::ring_all(Id queue) {
  Attachment* const caller = std::exchange(caller_, nullptr);
  ring(queue);
  caller_ = caller;
}

bool MemoryDatabase::lives(Id holder) const {
  const auto row = tables_.holders.find(holder);
  return row != tables_.holders.end() && !row->second.ended;
}

Completion MemoryDatabase::run(const Beat& beat) {
  Completion answer;
  answer.id = beat.holder;
  if (beat.holder == 0) {
    answer.id = ++last_id_;
    tables_.holders[answer.id].id = answer.id;
    caller_->holders.insert(answer.id);
  }
  if (!lives(answer.id)) return refuse(Code::fenced, "This holder has ended: become a new one.");
  HolderRow& mine = tables_.holders.at(answer.id);
  ++mine.count;
  mine.lease = beat.lease;

  std::set<Id> busy;
  for (const auto& [id, claim] : tables_.claims) busy.insert(claim.holder);
  busy.erase(answer.id);
  for (const Id id : busy) {
    const HolderRow& other = tables_.holders.at(id);
    answer.holders.push_back({other.id, other.count, other.lease, other.ended});
  }
  return answer;
}

}  // namespace vtx::test
