/* SPDX-License-Identifier: MPL-2.0 */
//
// Release is the acknowledgement: how a message that lies in a buffer of ours is lent to the application, and how
// its release finds the way back to the driver thread. DESIGN: libzmq runs the free callback exactly when the
// application lets the message go, on whatever thread that happens; so the callback does a few atomic operations, takes no
// lock, touches no store, and must work after the link, the driver and the instance are gone.
//
//   Batch    a fetched claim: the buffer, and a Slot for each message; counted references: the driver's, and one per lent message
//   Slot     where one message stands: how many of its frames are out, and what was decided about it
//   Gate     what all batches of a link share: is it closing, how does it acknowledge
//   ReleaseQueue  one a driver thread: the decided slots, and the bell that wakes the driver
#pragma once

#include <sys/types.h>
#include <zmq.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "endpoint/endpoint.hpp"
#include "util/fd.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx {

class Batch;

/// What became of a lent message. Stored in a Slot together with a delay.
enum class Outcome : std::uint32_t {
  held,      ///< not decided
  received,  ///< let go by the application
  unread,    ///< let go without having been received: closing link, reaper thread, or the driver's own send
  acked,     ///< vtx_ack
  nacked,    ///< vtx_nack, with a delay
  overdue,   ///< not let go within `hold`: decided by the driver
};

/// One message of a batch.
struct Slot {
  static constexpr std::uint32_t kOutcomeBits = 3;
  static constexpr std::uint32_t kUnreadFrame = 1U << 31;
  static constexpr std::uint32_t kMaxDelayMs = (1U << (32 - kOutcomeBits)) - 1;

  Slot* next = nullptr;  ///< in the ReleaseQueue; written by the thread that decided
  Batch* batch = nullptr;
  std::uint32_t index = 0;                    ///< in batch->messages
  bool lent = false;                          ///< driver thread only
  bool passed_over = false;                   ///< driver thread only: unread because no subscription matches
  std::atomic<std::uint32_t> frames_out = 0;  ///< frames lent and not released; top bit: one of them was unread
  std::atomic<std::uint32_t> state = 0;       ///< Outcome | delay_ms << kOutcomeBits

  Outcome outcome() const {
    return static_cast<Outcome>(state.load(std::memory_order_acquire) & ((1U << kOutcomeBits) - 1));
  }
  driver::Ms delay() const { return driver::Ms(state.load(std::memory_order_acquire) >> kOutcomeBits); }
  /// Decides, if nobody has. Any thread.
  bool decide(Outcome outcome, std::uint32_t delay_ms = 0) {
    std::uint32_t expected = 0;
    return state.compare_exchange_strong(expected, static_cast<std::uint32_t>(outcome) | delay_ms << kOutcomeBits,
                                         std::memory_order_acq_rel);
  }
};

/// Decided slots on their way to the driver thread: a stack that many push to and the driver takes as a whole.
/// A slot in the queue holds a reference to its batch, which the taker drops.
class ReleaseQueue {
 public:
  /// Any thread; lock-free. Wakes the driver when it sleeps. False once closed: the reference stays the caller's.
  bool push(Slot* slot);
  void wake();
  /// Any thread: something else than a decided slot is news for the driver thread.
  void nudge() {
    news_.store(true);
    wake();
  }

  /// Driver thread: everything pushed so far, oldest first, linked by `next`.
  Slot* take();
  /// Driver thread, at its end: as take(); nothing can be pushed any more.
  Slot* close();
  /// Driver thread, before it sleeps on fd(): false when something came in between (then do not sleep).
  bool arm();
  void disarm();
  /// Driver thread, when fd() was readable. A ring may come after the disarm() that it was meant for.
  void clear_bell() { bell_.clear(); }
  int fd() const { return bell_.fd(); }

 private:
  static Slot* closed();
  Slot* swap(Slot* with);
  // Sequentially consistent on purpose: push-then-read-armed against arm-then-read-head must not both miss.
  std::atomic<Slot*> head_{nullptr};
  std::atomic<bool> armed_{false};
  std::atomic<bool> news_{false};
  Bell bell_;
};

/// What one thread writes for each message must not lie where another one reads.
inline constexpr std::size_t kCacheLine = 64;

/// What the batches of one link share. Shared ownership: callbacks may outlive the link.
struct Gate {
  Gate(std::shared_ptr<ReleaseQueue> release_queue, Ack mode, pthread_t reaper_thread, pthread_t driver_thread)
      : queue(std::move(release_queue)), ack(mode), reaper(reaper_thread), driver(driver_thread) {}

  /// Messages lent and not released: never too few, but one that is being released may still count. Driver thread.
  std::size_t lent() const { return lent_ever - let_go.load(std::memory_order_acquire); }

  const std::shared_ptr<ReleaseQueue> queue;
  const Ack ack;
  const pthread_t reaper;            ///< the context's reaper: what it releases was never received
  const pthread_t driver;            ///< what it releases inside its own send was never received
  std::atomic<bool> closing{false};  ///< set before libzmq is told
  std::atomic<bool> probed{false};   ///< the reaper has let go of all that a closed socket had not read
  // Driver thread, for each message:
  alignas(kCacheLine) bool sending = false;
  std::size_t lent_ever = 0;
  std::atomic<std::size_t> pinned_bytes{0};  ///< any thread, for each batch
  // Who lets go, for each message:
  alignas(kCacheLine) std::atomic<std::size_t> let_go{0};
};

/// A claim's messages in a buffer of ours. The driver holds one reference, each lent message another; whoever drops the last one deletes it.
class Batch {
 public:
  static Batch* create(std::shared_ptr<Gate> gate, driver::Buffer buffer, std::vector<driver::Message> messages);
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  /// Driver thread, once before the frames of message `index` are made.
  void lend(std::uint32_t index, std::uint32_t frames);
  /// Driver thread: makes one frame of a lent message. Throws std::bad_alloc.
  void frame(std::uint32_t index, std::span<const std::byte> bytes, zmq_msg_t* frame);
  void ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void unref();

  bool contains(const void* data) const {
    const auto* at = static_cast<const std::byte*>(data);
    return at >= buffer_.bytes.get() && at < buffer_.bytes.get() + buffer_.size;
  }
  /// The slot whose message covers `data`; nullptr when none.
  Slot* find(const void* data);

  const std::vector<driver::Message>& messages() const { return messages_; }
  Slot& slot(std::size_t index) { return slots_[index]; }
  const std::byte* begin() const { return buffer_.bytes.get(); }
  Gate& gate() { return *gate_; }

  void* owner = nullptr;  ///< driver thread only: the consumer's record of this claim; nullptr when its link ended

 private:
  Batch(std::shared_ptr<Gate> gate, driver::Buffer buffer, std::vector<driver::Message> messages);
  ~Batch();
  static void on_free(void* data, void* hint);

  const std::shared_ptr<Gate> gate_;
  const driver::Buffer buffer_;
  const std::vector<driver::Message> messages_;
  std::unique_ptr<Slot[]> slots_;
  alignas(kCacheLine) std::atomic<std::size_t> references_{1};
};

}  // namespace vtx
