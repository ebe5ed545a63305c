/* SPDX-License-Identifier: MPL-2.0 */
//
// Receives from two groups in turn: a DEALER's or ROUTER's link, from the stream of its side and from its own mailbox.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "store/consumer.hpp"

namespace vtx {

/// Each message belongs to the consumer that leased it; this only chooses whose is next.
class FairReceiver final : public Receiver {
 public:
  FairReceiver(std::shared_ptr<Consumer> one, std::shared_ptr<Consumer> other);

  void open(driver::Id queue, Opened opened) override;
  void on_lost() override;
  void on_epoch() override;
  void set_filter(const Filter& filter) override;
  void close() override;
  void abandon(bool counted) override;
  bool done() const override;
  void drop() override;
  Slot* front() override;
  void pop() override;
  void put_off(driver::Ms delay, const std::string& why) override;
  bool work() override;
  driver::Id claim_of(const Slot& slot) const override { return owner_of(slot).claim_of(slot); }
  void describe(const Slot& slot, std::string& properties) const override { owner_of(slot).describe(slot, properties); }
  bool decide(driver::Id claim, driver::Seq seq, Outcome outcome, std::uint32_t delay_ms) override;
  std::uint64_t in_hand() const override;

 private:
  void decide(Held& held, Slot& slot) override;

  const std::array<std::shared_ptr<Consumer>, 2> consumers_;
  std::size_t turn_ = 0;  ///< who is asked first, and, from front() to pop(), whose message it is
};

}  // namespace vtx
