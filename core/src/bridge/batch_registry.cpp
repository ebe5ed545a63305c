/* SPDX-License-Identifier: MPL-2.0 */
#include "bridge/batch_registry.hpp"

namespace vtx {

void BatchRegistry::add(Batch* batch) {
  const std::lock_guard lock(mutex_);
  by_begin_[batch->begin()] = batch;
  by_begin_[&batch->slot(0)] = batch;
}

void BatchRegistry::remove(Batch* batch) {
  const std::lock_guard lock(mutex_);
  by_begin_.erase(batch->begin());
  by_begin_.erase(&batch->slot(0));
}

BatchRegistry::Decided BatchRegistry::decide(const void* data, Outcome outcome, std::uint32_t delay_ms) {
  const std::lock_guard lock(mutex_);
  const auto after = by_begin_.upper_bound(data);
  if (after == by_begin_.begin()) return Decided::unknown;
  Batch& batch = *std::prev(after)->second;
  Slot* slot = batch.find(data);
  if (slot == nullptr) return Decided::unknown;
  if (!slot->decide(outcome, delay_ms)) return Decided::already;
  batch.ref();
  const std::shared_ptr<ReleaseQueue> queue = batch.gate().queue;  // as in Batch::on_free
  if (!queue->push(slot)) batch.unref();
  return Decided::done;
}

}  // namespace vtx
