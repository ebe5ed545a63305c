/* SPDX-License-Identifier: MPL-2.0 */
//
// Backups of the in-memory store, and what follows when one is restored: a new epoch, in which nothing that was said before counts.
#include "support/memory_database.hpp"

namespace vtx::test {

Tables MemoryDatabase::back_up() {
  const std::lock_guard lock(mutex_);
  return tables_;
}

void MemoryDatabase::restore(const Tables& backup) {
  const std::lock_guard lock(mutex_);
  tables_ = backup;
  for (Attachment* store : attached_) store->wake();
}

/// All claims end as if their holders had died, all holders end, and so do all sessions.
bool MemoryDatabase::begin_epoch_if_it_went_back() {
  if (tables_.mark >= newest_mark_) return false;
  tables_.mark = ++newest_mark_;
  tables_.epoch = ++last_epoch_;
  std::vector<driver::TakeOver> dead;
  for (auto& [id, holder] : tables_.holders) {
    holder.ended = true;
    dead.push_back({id, holder.count});
  }
  for (const auto& holder : dead) (void)run(holder);
  for (auto& [id, stream] : tables_.streams) stream.fork = stream.head;
  for (Attachment* store : attached_) {
    store->cut = true;
    store->wake();
  }
  return true;
}

}  // namespace vtx::test
