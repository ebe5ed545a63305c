/* SPDX-License-Identifier: MPL-2.0 */
#include "store/fair_receiver.hpp"

#include <algorithm>
#include <utility>

namespace vtx {

using namespace driver;

FairReceiver::FairReceiver(std::shared_ptr<Consumer> one, std::shared_ptr<Consumer> other)
    : consumers_{std::move(one), std::move(other)} {
  consumers_[0]->set_sibling(consumers_[1].get());
  consumers_[1]->set_sibling(consumers_[0].get());
}

void FairReceiver::open(Id queue, Opened opened) {
  struct Opening {
    std::size_t left;
    Status status;
    Opened opened;
  };
  const auto opening = std::make_shared<Opening>(Opening{consumers_.size(), {}, std::move(opened)});
  for (const auto& consumer : consumers_) {
    consumer->open(queue, [opening](const Status& status) {
      if (!status.ok()) opening->status = status;
      if (--opening->left == 0) opening->opened(opening->status);
    });
  }
}

void FairReceiver::on_lost() {
  for (const auto& consumer : consumers_) consumer->on_lost();
}

void FairReceiver::on_epoch() {
  for (const auto& consumer : consumers_) consumer->on_epoch();
}

void FairReceiver::set_filter(const Filter& filter) {
  for (const auto& consumer : consumers_) consumer->set_filter(filter);
}

void FairReceiver::close() {
  for (const auto& consumer : consumers_) consumer->close();
}

void FairReceiver::abandon(bool counted) {
  for (const auto& consumer : consumers_) consumer->abandon(counted);
}

bool FairReceiver::done() const { return std::ranges::all_of(consumers_, &Consumer::done); }

void FairReceiver::drop() {
  for (const auto& consumer : consumers_) consumer->drop();
}

Slot* FairReceiver::front() {
  for (std::size_t tried = 0; tried < consumers_.size(); ++tried) {
    if (Slot* slot = consumers_[turn_]->front(); slot != nullptr) return slot;
    turn_ = (turn_ + 1) % consumers_.size();
  }
  return nullptr;
}

void FairReceiver::pop() {
  consumers_[turn_]->pop();
  turn_ = (turn_ + 1) % consumers_.size();
}

void FairReceiver::put_off(Ms delay, const std::string& why) { consumers_[turn_]->put_off(delay, why); }

bool FairReceiver::work() {
  bool any = false;
  for (const auto& consumer : consumers_) any |= consumer->work();
  return any;
}

bool FairReceiver::decide(Id claim, Seq seq, Outcome outcome, std::uint32_t delay_ms) {
  return std::ranges::any_of(consumers_,
                             [&](const auto& consumer) { return consumer->decide(claim, seq, outcome, delay_ms); });
}

std::uint64_t FairReceiver::in_hand() const {
  std::uint64_t count = 0;
  for (const auto& consumer : consumers_) count += consumer->in_hand();
  return count;
}

/// Never asked: each batch has its consumer for owner.
void FairReceiver::decide(Held&, Slot&) {}

}  // namespace vtx
