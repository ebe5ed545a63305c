/* SPDX-License-Identifier: MPL-2.0 */
//
// The receiver that leases: what it has claimed from its group, what of that is lent to the application, and what was decided about it.
// The claims of a group's consumers are coordinated by its Feed; libzmq is the Link's.
//
//   consumer.cpp           its life, and its claims      consumer_decide.cpp  what becomes of a message in hand
//   consumer_handover.cpp  what goes to the application  consumer_settle.cpp  and how the store is told
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bridge/batch_registry.hpp"
#include "endpoint/endpoint.hpp"
#include "store/engine.hpp"
#include "store/link_stats.hpp"
#include "store/receiver.hpp"
#include "store/window.hpp"
#include "vtx/driver/names.hpp"

namespace vtx {

enum class Fit {
  good,
  not_wanted,  ///< settled as filtered
  malformed,   ///< dead-lettered
  too_large,   ///< likewise
};

/// What a consumer leases from, besides the options of its endpoint.
struct Group {
  driver::GroupName name;
  std::string from;           ///< where a new one begins
  bool filtering = false;     ///< only what the socket has subscribed to
  bool collects = true;       ///< the application may wait for more before it lets go of what it has
  std::string malformed;      ///< why a message of that fit is no use
  std::int64_t largest = -1;  ///< that the socket takes, in bytes; -1 any
  /// What the pattern makes of a message that is next; none: all are for the application.
  std::function<Fit(const driver::Message&)> judge;
};

class Consumer final : public Receiver, public std::enable_shared_from_this<Consumer> {
 public:
  Consumer(Engine& engine, const LinkOptions& options, Group group, std::shared_ptr<Gate> gate, BatchRegistry& registry,
           LinkStats& stats, LinkEvents& events);
  ~Consumer() override;

  void open(driver::Id queue, Opened opened) override;
  void on_lost() override;
  void on_epoch() override;
  void set_filter(const Filter& filter) override;
  void close() override;
  void abandon(bool counted) override;
  bool done() const override { return closing_ && claims_.empty() && submitted_ == 0; }
  /// Its claims wait in the store for a take-over.
  void drop() override;

  /// Another of the same link: a message that the application goes on to confirms what it let go of before, whoever leased it (ack=next).
  void set_sibling(Consumer* sibling) { sibling_ = sibling; }

  // For the Feed.
  driver::Id group() const { return group_; }
  driver::u32 room() const;  ///< messages to claim now
  /// The number of the claim that is asked for now: the one before again if its answer was lost.
  driver::u64 on_claim_submitted();
  void on_claim(driver::Completion& answer);

  // For a Replier: between a reply and the answer of the store the request is neither in hand nor settled.
  /// The reply to a request in hand is here. @param offset  of the request in its claim
  /// @return the request, valid until on_answered() or on_unanswered(); nullptr when it is not in hand (any more)
  const driver::Message* begin_answer(driver::Id claim, driver::Seq seq, driver::u32& offset);
  /// It is stored, and the request settled with it; or `fenced`, and so neither.
  void on_answered(driver::Id claim, driver::u32 offset, bool fenced);
  /// It will not be stored: the request goes to another.
  void on_unanswered(driver::Id claim, driver::u32 offset, const std::string& why);

  // For the Link.
  Slot* front() override;
  void pop() override;
  void put_off(driver::Ms delay, const std::string& why) override;
  driver::Id claim_of(const Slot& slot) const override { return leased(slot.batch).claim.id; }
  void describe(const Slot& slot, std::string& properties) const override;
  bool decide(driver::Id claim, driver::Seq seq, Outcome outcome, std::uint32_t delay_ms) override;
  /// Records in the store what was decided, and the filter.
  bool work() override;
  std::uint64_t in_hand() const override { return in_hand_; }

 private:
  struct Leased : Held {
    driver::Claim claim;
    std::vector<driver::u64> done;
    driver::u32 undone = 0;
    std::vector<driver::Odd> odd;       ///< decided, not submitted
    std::vector<driver::Odd> odd_sent;  ///< submitted, not answered
    driver::u32 lent = 0;               ///< in the application's hands, as far as this thread has heard
    driver::u32 marked = 0;             ///< newly done since the latest submission
    bool ready = true;                  ///< false: ack=none, and not yet recorded
    bool in_doubt = false;              ///< a settlement's answer was lost with the session
    bool settling = false;              ///< a settlement is submitted, not answered
    bool delivered = false;             ///< any of it was handed over
    bool resting = false;               ///< only its unconfirmed message is left (ack=next)
  };
  struct Sent {
    driver::Id claim = 0;
    driver::u32 marked = 0;
    bool closed = false;
    bool repeated = false;
  };
  struct Place {
    driver::Id stream = 0;
    driver::Seq seq = 0;  ///< 0 none
    bool operator==(const Place&) const = default;
  };
  struct Deadline {
    driver::Steady due;
    driver::Id claim = 0;
    driver::u32 index = 0;
  };

  static Leased& leased(const Batch* batch);
  static driver::u32 offset(const Leased& held, std::size_t index);
  static bool is_done(const Leased& held, driver::u32 offset);
  static void set_done(Leased& held, driver::u32 offset);
  void mark(Leased& held, driver::u32 offset);
  void mark(Leased& held, driver::u32 offset, driver::Verdict verdict, driver::Ms delay, std::string reason);
  void decide(Held& held, Slot& slot) override;
  void decide(Leased& held, Slot& slot);
  void on_open(const driver::Completion& answer);
  void make_again();
  bool keep_filter();
  void enqueue(const Leased& held);
  bool is_wanted(Leased& held);
  Fit fit_of(const driver::Message& message) const;
  void on_passed(Place place);
  void on_caught_up();
  void tell_caught_up();
  bool settle();
  bool reclaim(Leased& held, std::size_t index);
  bool take_from_hand(Leased& held, std::size_t index, Outcome outcome);
  void nack(Leased& held, driver::u32 offset, driver::Ms delay, const std::string& reason);
  void give_back_unsent();
  void give_back_unsent(Leased& held);
  void dead_letter(Leased& held);
  void dead_letter(Leased& held, driver::Seq seq, const std::string& reason);
  void refuse(driver::Seq seq, const std::string& why);
  void forget_when_settled(Leased& held);
  void forget(Leased& held);
  void leave_when_empty();
  void fence(driver::Id claim);
  void on_settled(const std::vector<Sent>& sent, driver::Completion& answer);
  void tell_trouble(const Status& status, const char* recovered);
  void confirm(Slot* slot);
  void confirm_before();
  void give_back_unconfirmed(Slot& slot);
  void rest();
  void watch_for_stall();
  void arm_hold();
  void on_hold();

  Engine& engine_;
  const LinkOptions options_;
  const Group wanted_;
  const std::shared_ptr<Gate> gate_;
  BatchRegistry& registry_;
  LinkStats& stats_;
  LinkEvents& events_;
  const std::shared_ptr<Feed> feed_;
  Window window_;
  Timers::Token stall_ = 0;
  driver::u64 let_go_before_stall_ = 0;
  driver::u64 let_go_ever_ = 0;
  bool stalled_ = false;
  driver::Id group_ = 0;
  driver::u32 max_deliveries_ = 0;
  driver::Id queue_id_ = 0;
  Filter filter_;
  bool filter_is_new_ = false;  ///< not yet kept with the cursor
  Timers::Token filter_again_ = 0;
  driver::u32 scan_ = 1;  ///< messages to claim while none of them is wanted
  bool caught_up_ = false;
  bool caught_up_untold_ = false;
  Place first_live_;  ///< the first one after that
  Place newest_;      ///< once a claim left nothing in the group: the last message of it
  bool joined_ = false;
  bool closing_ = false;
  bool dropped_ = false;         ///< the link has ended: its counters and events are no more
  driver::u32 submitted_ = 0;    ///< claims asked for
  driver::u64 lost_number_ = 0;  ///< of the claim whose answer was lost with the session
  driver::u64 number_ = 0;
  std::map<driver::Id, Leased> claims_;
  std::deque<driver::Id> queue_;  ///< claims with messages to hand over
  std::uint64_t in_hand_ = 0;     ///< lent, undecided
  std::uint64_t unsent_ = 0;      ///< claimed, not handed over
  std::vector<driver::Id> dirty_;
  std::map<std::string, driver::u64> untold_;  ///< ack=none: what became of messages after they were settled
  std::uint32_t let_go_ = 0;                   ///< decided since the window was told
  bool settling_ = false;
  bool troubled_ = false;
  Timers::Token settle_again_ = 0;
  Consumer* sibling_ = nullptr;
  Slot* unconfirmed_ = nullptr;  ///< ack=next: let go, waiting for the next one to be
  std::deque<Deadline> deadlines_;
  Timers::Token hold_timer_ = 0;
};

}  // namespace vtx
