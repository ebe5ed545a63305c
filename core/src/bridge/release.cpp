/* SPDX-License-Identifier: MPL-2.0 */
#include "bridge/release.hpp"

#include <pthread.h>

#include <algorithm>
#include <functional>
#include <new>

namespace vtx {

Slot* ReleaseQueue::closed() {
  static Slot mark;
  return &mark;
}

bool ReleaseQueue::push(Slot* slot) {
  Slot* head = head_.load();
  do {
    if (head == closed()) return false;
    slot->next = head;
  } while (!head_.compare_exchange_weak(head, slot));
  wake();
  return true;
}

void ReleaseQueue::wake() {
  if (armed_.load() && armed_.exchange(false)) bell_.ring();
}

Slot* ReleaseQueue::swap(Slot* with) {
  if (with == nullptr && head_.load(std::memory_order_relaxed) == nullptr) return nullptr;
  Slot* newest = head_.exchange(with);
  Slot* oldest = nullptr;
  while (newest != nullptr && newest != closed()) {
    Slot* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  return oldest;
}

Slot* ReleaseQueue::take() { return swap(nullptr); }
Slot* ReleaseQueue::close() { return swap(closed()); }

bool ReleaseQueue::arm() {
  armed_.store(true);
  if (head_.load() == nullptr && !news_.exchange(false)) return true;
  disarm();
  return false;
}

void ReleaseQueue::disarm() { armed_.store(false); }

Batch::Batch(std::shared_ptr<Gate> gate, driver::Buffer buffer, std::vector<driver::Message> messages)
    : gate_(std::move(gate)),
      buffer_(std::move(buffer)),
      messages_(std::move(messages)),
      slots_(std::make_unique<Slot[]>(messages_.size())) {
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    slots_[i].batch = this;
    slots_[i].index = static_cast<std::uint32_t>(i);
  }
  gate_->pinned_bytes += buffer_.size;
}

Batch::~Batch() {
  gate_->pinned_bytes -= buffer_.size;
  gate_->queue->nudge();  // the driver may be waiting for memory
}

Batch* Batch::create(std::shared_ptr<Gate> gate, driver::Buffer buffer, std::vector<driver::Message> messages) {
  return new Batch(std::move(gate), std::move(buffer), std::move(messages));
}

void Batch::unref() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void Batch::lend(std::uint32_t index, std::uint32_t frames) {
  slots_[index].lent = true;
  slots_[index].frames_out.store(frames, std::memory_order_relaxed);
  ++gate_->lent_ever;
  ref();
}

void Batch::frame(std::uint32_t index, std::span<const std::byte> bytes, zmq_msg_t* frame) {
  // An empty frame has no bytes of its own in the buffer; the slot's address stands for it (see find).
  void* data = bytes.empty() ? static_cast<void*>(&slots_[index]) : const_cast<std::byte*>(bytes.data());
  if (zmq_msg_init_data(frame, data, bytes.size(), &Batch::on_free, &slots_[index]) != 0) throw std::bad_alloc();
}

void Batch::on_free(void*, void* hint) {
  Slot& slot = *static_cast<Slot*>(hint);
  Batch& batch = *slot.batch;
  Gate& gate = *batch.gate_;
  const pthread_t self = pthread_self();
  const bool reaper = pthread_equal(self, gate.reaper) != 0;
  const bool unread =
      reaper || gate.closing.load(std::memory_order_acquire) || (pthread_equal(self, gate.driver) != 0 && gate.sending);
  if (unread) slot.frames_out.fetch_or(Slot::kUnreadFrame, std::memory_order_relaxed);
  const std::uint32_t left = slot.frames_out.fetch_sub(1, std::memory_order_acq_rel) - 1;
  if ((left & ~Slot::kUnreadFrame) != 0) return;

  const Outcome outcome = (left & Slot::kUnreadFrame) != 0 ? Outcome::unread : Outcome::received;
  const bool decides = outcome == Outcome::unread || gate.ack != Ack::manual;
  const bool decided = decides && slot.decide(outcome);
  // Not before the decision: a link that finds nothing lent any more takes what is undecided for held by the application.
  gate.let_go.fetch_add(1, std::memory_order_release);
  // The lent message's reference goes with the slot into the queue; else it is dropped here. Once it is in there, the driver may
  // let go of batch and gate, and end: the queue must not end before push() has woken it.
  const std::shared_ptr<ReleaseQueue> queue = gate.queue;
  if (decided && queue->push(&slot)) return;
  batch.unref();
}

Slot* Batch::find(const void* data) {
  const auto* slot = static_cast<const Slot*>(data);
  const std::less<> before;
  if (!before(slot, slots_.get()) && before(slot, slots_.get() + messages_.size())) {
    return &slots_[static_cast<std::size_t>(slot - slots_.get())];
  }
  const auto* at = static_cast<const std::byte*>(data);
  const auto after = std::upper_bound(
      messages_.begin(), messages_.end(), at,
      [](const std::byte* where, const driver::Message& message) { return where < message.body.data(); });
  if (after == messages_.begin()) return nullptr;
  const auto& message = *std::prev(after);
  if (at >= message.body.data() + message.body.size()) return nullptr;
  return &slots_[static_cast<std::size_t>(std::prev(after) - messages_.begin())];
}

}  // namespace vtx
