/* SPDX-License-Identifier: MPL-2.0 */
//
// Background work on the queues that this engine's links use: what retention lets go is retired in bounded steps, soon after it may
// be and again while a step has left some.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "util/timers.hpp"
#include "vtx/driver/operations.hpp"
#include "vtx/driver/options.hpp"

namespace vtx {

class Engine;

/// Confined to its driver thread.
class Tender {
 public:
  explicit Tender(Engine& engine) : engine_(engine) {}
  ~Tender() { stop(); }

  /// A link uses the queue, which is declared so.
  void declared(const std::string& queue, const driver::Retention& retention, bool limited);
  /// A producer waits for room in the queue.
  void make_room(const std::string& queue) { settled(queue, kEnough); }
  /// `count` messages of the queue were settled, or its consumers begin (0).
  void settled(const std::string& queue, driver::u64 count);
  /// Messages were appended to the queue: others may be too many or too old now.
  void stored(const std::string& queue);
  /// A reader, which cannot do it itself, waits for messages that are due after so long.
  void delayed(const std::string& queue, driver::Ms due_in);
  /// Others made messages claimable in the queue (empty: anywhere), and may be none that tend.
  void changed(const std::string& queue);
  /// Does now, by one step, what is due soon: the engine ends.
  void finish();
  void stop();

 private:
  static constexpr driver::u64 kEnough = 2000;  ///< settled messages that are worth a step at once

  struct Queue {
    driver::Retention retention;
    bool limited = false;  ///< somebody may wait for what can go
    driver::u64 settled = 0;
    bool running = false;
    Timers::Token timer = 0;
    driver::Steady due;
    std::optional<driver::Steady> fire_at;  ///< somebody waits for what is due then
    bool firing = false;                    ///< the step that runs does it
  };
  void fire_in_time(const std::string& name, Queue& queue);
  void tend_within(const std::string& name, Queue& queue, driver::Ms within);
  void tend(const std::string& name);
  void on_tended(const std::string& name, const driver::Completion& answer);

  Engine& engine_;
  std::map<std::string, Queue> queues_;
};

}  // namespace vtx
