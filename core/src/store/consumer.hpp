/* SPDX-License-Identifier: MPL-2.0 */
//
// The receiving part of a link: what it has claimed, what of that is lent to the application, and what was decided about it.
// The claims of a group's consumers are coordinated by its Feed; libzmq is the Link's.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bridge/batch_registry.hpp"
#include "bridge/release.hpp"
#include "endpoint/endpoint.hpp"
#include "store/engine.hpp"
#include "store/link_stats.hpp"
#include "store/window.hpp"

namespace vtx {

/// Confined to its driver thread. Shared with the answers that are still on their way to it.
class Consumer : public std::enable_shared_from_this<Consumer> {
 public:
  Consumer(Engine& engine, const LinkOptions& options, std::shared_ptr<Gate> gate, BatchRegistry& registry,
           LinkStats& stats, LinkEvents& events);
  ~Consumer();

  /// The group is open in the store under this id: claiming begins, or goes on.
  void open(driver::Id group, driver::u32 max_deliveries);
  /// The session is gone, and with it the group's id.
  void on_lost();
  /// No more claiming; everything not in the application's hands is given back. done() follows.
  void close();
  /// After close(): what the application still has in hand is given back as well.
  /// @param counted  it was delivered; false: nobody knows whether it was
  void abandon(bool counted);
  /// After close(): everything is settled or given back, and recorded, as far as can be.
  bool done() const { return closing_ && claims_.empty() && submitted_ == 0; }
  /// Ends without the store: its claims wait there for a take-over.
  void drop();

  // For the Feed.
  driver::Id group() const { return group_; }
  driver::u32 room() const;  ///< messages to claim now
  /// The number of the claim that is asked for now: the one before again if its answer was lost.
  driver::u64 on_claim_submitted();
  void on_claim(driver::Completion& answer);

  // For the Link.
  /// The next message to hand over; nullptr when there is none.
  Slot* front();
  /// front() was handed over, or `unread`: it did not get into the pipe.
  void pop();
  /// A slot that the ReleaseQueue brought; takes over its reference.
  static void on_decided(Slot* slot);
  /// Records in the store what was decided. True when something was submitted.
  bool settle();

  std::uint64_t in_hand() const { return in_hand_; }

 private:
  struct Held {
    driver::Claim claim;
    Consumer* consumer = nullptr;
    Batch* batch = nullptr;
    std::vector<driver::u64> done;
    driver::u32 undone = 0;
    std::vector<driver::Odd> odd;       ///< decided, not submitted
    std::vector<driver::Odd> odd_sent;  ///< submitted, not answered
    std::size_t next = 0;               ///< index of the first message not handed over
    driver::u32 lent = 0;               ///< in the application's hands, as far as this thread has heard
    driver::u32 marked = 0;             ///< newly done since the latest submission
    bool ready = true;                  ///< false: ack=none, and not yet recorded
    bool in_doubt = false;              ///< a settlement's answer was lost with the session
    bool resting = false;               ///< only its unconfirmed message is left (ack=next)
  };
  struct Sent {
    driver::Id claim = 0;
    driver::u32 marked = 0;
    bool closed = false;
    bool repeated = false;
  };
  struct Deadline {
    driver::Steady due;
    driver::Id claim = 0;
    driver::u32 index = 0;
  };

  static driver::u32 offset(const Held& held, std::size_t index);
  static bool is_done(const Held& held, driver::u32 offset);
  void mark(Held& held, driver::u32 offset);
  void mark(Held& held, driver::u32 offset, driver::Verdict verdict, driver::Ms delay, std::string reason);
  void decide(Held& held, Slot& slot);
  bool reclaim(Held& held, std::size_t index);
  void nack(Held& held, driver::u32 offset, driver::Ms delay, const char* reason);
  void give_back_unsent(Held& held);
  void dead_letter(Held& held);
  void forget(Held& held);
  void leave_when_empty();
  void fence(driver::Id claim);
  void on_settled(const std::vector<Sent>& sent, driver::Completion& answer);
  void tell_trouble(const Status& status, const char* recovered);
  void confirm(Slot* slot);
  void give_back_unconfirmed(Slot& slot);
  void rest();
  void arm_hold();
  void on_hold();

  Engine& engine_;
  const LinkOptions options_;
  const std::shared_ptr<Gate> gate_;
  BatchRegistry& registry_;
  LinkStats& stats_;
  LinkEvents& events_;
  Feed& feed_;
  Window window_;
  driver::Id group_ = 0;
  driver::u32 max_deliveries_ = 0;
  bool joined_ = false;
  bool closing_ = false;
  bool dropped_ = false;         ///< the link has ended: its counters and events are no more
  driver::u32 submitted_ = 0;    ///< claims asked for
  driver::u64 lost_number_ = 0;  ///< of the claim whose answer was lost with the session
  driver::u64 number_ = 0;
  std::map<driver::Id, Held> claims_;
  std::deque<driver::Id> queue_;  ///< claims with messages to hand over
  std::uint64_t in_hand_ = 0;     ///< lent, undecided
  std::uint64_t unsent_ = 0;      ///< claimed, not handed over
  std::vector<driver::Id> dirty_;
  std::uint32_t let_go_ = 0;  ///< decided since the window was told
  bool settling_ = false;
  bool troubled_ = false;
  Timers::Token settle_again_ = 0;
  Slot* unconfirmed_ = nullptr;  ///< ack=next: let go, waiting for the next one to be
  std::deque<Deadline> deadlines_;
  Timers::Token hold_timer_ = 0;
};

}  // namespace vtx
