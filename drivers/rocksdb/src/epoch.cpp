/* SPDX-License-Identifier: MPL-2.0 */
//
// What follows when the database went back in time: a new epoch, in which nothing that was said before counts. docs/decisions/0002-epochs.md
#include "ledger.hpp"
#include "random.hpp"

namespace vtx::rocks {

void Ledger::begin_epoch(u64 epoch, u64 mark) {
  constexpr unsigned kEpochBits = 40;
  StoreRow& store = books_.store();
  store.epoch = epoch;
  store.mark = mark;
  store.life = random_hex(8);
  store.last_id = epoch << kEpochBits;
  std::vector<driver::TakeOver> over;
  for (const auto& [id, holder] : books_.holders.all()) over.push_back({id, holder.count});
  for (const auto& holder : over) books_.holders.edit(holder.holder).ended = true;
  for (const auto& holder : over) (void)run(holder);
  std::vector<Id> streams;
  for (const auto& [id, stream] : books_.streams.all()) streams.push_back(id);
  for (const Id id : streams) {
    StreamRow& stream = books_.streams.edit(id);
    stream.fork = stream.head;
  }
}

}  // namespace vtx::rocks
