/* SPDX-License-Identifier: MPL-2.0 */
//
// Life signs: this engine's beat as a holder of claims, and the watch over other holders, whose claims are taken over when
// their beat stood still for their lease of our own monotonic clock (nobody compares two machines' clocks), or at once when the
// store knows that they ended.
#pragma once

#include <functional>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "util/timers.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx {

class Engine;

/// Confined to its driver thread.
class Holder {
 public:
  explicit Holder(Engine& engine) : engine_(engine) {}

  /// A consumer with this lease joins or leaves; beats go on while there is one. The shortest lease counts.
  void join(driver::Ms lease);
  void leave(driver::Ms lease);

  /// Calls back once there is an id, at once when there is; not at all when the session is lost before. Somebody must have joined.
  void when_ready(std::function<void()> ready);
  /// 0 while the store has not given one yet.
  driver::Id id() const { return ready_ ? id_ : 0; }
  /// Numbers this holder's claims.
  driver::u64 next_number() { return ++last_number_; }

  void on_live();
  void on_lost();
  void stop();

 private:
  struct Seen {
    driver::u64 count = 0;
    driver::Steady since;
    bool present = false;
  };
  void beat();
  void on_beat(driver::Completion& answer);
  void watch(const std::vector<driver::HolderBeat>& others);
  void take_over(const driver::HolderBeat& other);
  void schedule();
  driver::Ms lease() const { return leases_.begin()->first; }

  Engine& engine_;
  driver::Id id_ = 0;
  driver::u64 last_number_ = 0;
  bool ready_ = false;  ///< id_ is valid in this session
  bool beating_ = false;
  Timers::Token timer_ = 0;
  std::map<driver::Ms, int> leases_;
  std::vector<std::function<void()>> waiting_;  ///< for the id
  std::unordered_map<driver::Id, Seen> seen_;
};

}  // namespace vtx
