/* SPDX-License-Identifier: MPL-2.0 */
//
// The bridge without a store: PUSH to a DEALER in a thread, which hands on to a PULL. Two inproc hops, as every VTX message makes.
#pragma once

#include <zmq.h>

#include <thread>

namespace vtx::bench {

class Relay {
 public:
  explicit Relay(int hwm);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  void* push() const { return push_; }
  void* pull() const { return pull_; }

 private:
  void run();

  void* context_;
  void *push_, *dealer_, *onward_, *pull_;
  std::thread thread_;
};

/// One hop: PUSH to PULL.
class Hop {
 public:
  explicit Hop(int hwm);
  ~Hop();
  Hop(const Hop&) = delete;
  Hop& operator=(const Hop&) = delete;

  void* push() const { return push_; }
  void* pull() const { return pull_; }

 private:
  void* context_;
  void *push_, *pull_;
};

}  // namespace vtx::bench
