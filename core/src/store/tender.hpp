/* SPDX-License-Identifier: MPL-2.0 */
//
// Background work on the queues that this engine's consumers settle in: what retention lets go is retired in bounded steps, soon
// after it was settled when there is much of it, else when things are quiet.
#pragma once

#include <string>
#include <unordered_map>

#include "util/timers.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx {

class Engine;

/// Confined to its driver thread.
class Tender {
 public:
  explicit Tender(Engine& engine) : engine_(engine) {}

  /// `count` messages of the queue were settled, or its consumers begin (0).
  void settled(const std::string& queue, driver::u64 count);
  void stop();

 private:
  struct Queue {
    driver::u64 settled = 0;
    bool running = false;
    Timers::Token timer = 0;
  };
  void tend(const std::string& name);

  Engine& engine_;
  std::unordered_map<std::string, Queue> queues_;
};

}  // namespace vtx
