/* SPDX-License-Identifier: MPL-2.0 */
#include "store/receiver.hpp"

namespace vtx {

void Receiver::on_decided(Slot* slot) {
  Batch* batch = slot->batch;
  if (auto* held = static_cast<Held*>(batch->owner)) held->receiver->decide(*held, *slot);
  batch->unref();
}

const Receiver& Receiver::owner_of(const Slot& slot) { return *static_cast<Held*>(slot.batch->owner)->receiver; }

}  // namespace vtx
