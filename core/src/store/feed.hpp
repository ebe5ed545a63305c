/* SPDX-License-Identifier: MPL-2.0 */
//
// A consumer group as this driver instance sees it: whose turn it is to claim, and the rule that a redelivered message is the only one
// that its holder has of the group (promise 7), so that a message which crashes its consumers takes no neighbours along.
#pragma once

#include <vector>

#include "util/timers.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx {

class Consumer;
class Engine;

/// Confined to its driver thread.
class Feed {
 public:
  explicit Feed(Engine& engine) : engine_(engine) {}
  ~Feed();

  void join(Consumer* consumer);
  void leave(Consumer* consumer);

  /// In the store, in this session; 0 while nobody has opened it.
  driver::Id group() const;

  /// Submits the claims that the consumers have room for and the rules allow.
  void claim();
  /// Something may have become claimable.
  void on_changed() {
    drained_ = false;
    ++changes_;
  }

  /// A claim of one of the consumers was opened (`redelivered`: it is such a single message), or closed.
  void on_claim_opened(bool redelivered);
  void on_claim_closed(bool redelivered);
  /// With ack=next a claim whose only message was let go but not confirmed rests: it keeps nobody from claiming,
  /// since only a following message can confirm it.
  void on_claim_rests(bool redelivered);
  /// It was confirmed, or is given up: open again until it closes.
  void on_rest_ended(bool redelivered);

 private:
  void submit(Consumer& consumer);
  void on_answer(Consumer* consumer, driver::u64 changes, driver::Completion& answer);

  Engine& engine_;
  std::vector<Consumer*> consumers_;
  std::size_t turn_ = 0;
  driver::u64 changes_ = 0;
  driver::u32 open_ = 0;  ///< claims in hands
  driver::u32 open_redelivered_ = 0;
  driver::u32 resting_redelivered_ = 0;
  driver::u32 submitted_ = 0;  ///< claims asked for
  bool alone_submitted_ = false;
  bool retry_waiting_ = false;  ///< a redelivered message waits until our hands are empty
  bool drained_ = false;        ///< nothing was claimable; wait for a change
  Timers::Token due_ = 0;
};

}  // namespace vtx
