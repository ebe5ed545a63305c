/* SPDX-License-Identifier: MPL-2.0 */
//
// The receiving part of a link, as the link sees it: a Consumer, which leases messages from a group and settles them, or a Reader, which
// looks at the log and leaves no trace. Either keeps what it fetched in batches, whose messages are lent to the application one by one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/release.hpp"
#include "pattern/filter.hpp"
#include "vtx/driver/frames.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx {

/// Asked whenever a message is about to go into the pipe: it is never handed over late.
inline bool has_expired(const driver::Message& message, const driver::Clock& clock) {
  return message.expires != driver::StoreTime{} && message.expires <= clock.wall();
}

/// ZMQ_MAXMSGSIZE: whether one of its frames has more bytes; -1 none has.
inline bool is_larger(const driver::Message& message, std::int64_t largest) {
  if (largest < 0 || std::cmp_less_equal(message.body.size(), largest)) return false;
  if (message.frames == 1) return true;
  std::vector<Frame> frames;
  return !decode_frames(message.body, message.frames, frames) ||
         std::ranges::any_of(frames, [&](Frame frame) { return std::cmp_greater(frame.size(), largest); });
}

/// Confined to its driver thread. Shared with the answers that are still on their way to it.
class Receiver {
 public:
  using Opened = std::function<void(const Status&)>;

  virtual ~Receiver() = default;
  Receiver() = default;
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// The session is live and the queue open: opens what it receives from, and goes on where it was. `opened` is called once.
  virtual void open(driver::Id queue, Opened opened) = 0;
  /// The session is gone, and with it the ids.
  virtual void on_lost() = 0;
  /// Before open(): another database, or this one at an earlier time. What was fetched before is of no use.
  virtual void on_epoch() = 0;
  /// What the application's socket has subscribed to now. With nothing, nothing is fetched.
  virtual void set_filter(const Filter& filter) = 0;

  /// No more fetching; everything not in the application's hands is given back. done() follows.
  virtual void close() = 0;
  /// After close(): what the application still has in hand is given back as well.
  /// @param counted  it was delivered; false: nobody knows whether it was
  virtual void abandon(bool counted) = 0;
  /// After close(): everything is settled or given back, and recorded, as far as can be.
  virtual bool done() const = 0;
  /// Ends without the store.
  virtual void drop() = 0;

  /// The next message to hand over; nullptr when there is none.
  virtual Slot* front() = 0;
  /// front() is being handed over.
  virtual void pop() = 0;
  /// front() cannot be handed over now: it goes back to the group, due after `delay`.
  virtual void put_off(driver::Ms delay, const std::string& why) = 0;
  /// Does what is due with the store. True when something was submitted.
  virtual bool work() = 0;
  /// The claim that a message was leased with; 0 none.
  virtual driver::Id claim_of(const Slot&) const { return 0; }
  /// Adds what it knows of a message that it hands over, as properties.
  virtual void describe(const Slot& slot, std::string& properties) const = 0;
  /// Decides a message in hand by claim and sequence. False when there is none.
  virtual bool decide(driver::Id claim, driver::Seq seq, Outcome outcome, std::uint32_t delay_ms) = 0;
  /// What would be handed over next, for a receiver that has no group in the store; 0 for the others.
  virtual driver::Seq position() const { return 0; }
  /// Lent to the application, undecided.
  virtual std::uint64_t in_hand() const = 0;

  /// Whose message it is.
  static const Receiver& owner_of(const Slot& slot);
  /// A slot that the ReleaseQueue brought; takes over its reference.
  static void on_decided(Slot* slot);

 protected:
  /// A batch's owner, as Batch::owner points to it.
  struct Held {
    Receiver* receiver = nullptr;
    Batch* batch = nullptr;
    std::size_t next = 0;  ///< index of the first message not handed over
  };

  /// A message of one of its batches was decided.
  virtual void decide(Held& held, Slot& slot) = 0;
};

}  // namespace vtx
