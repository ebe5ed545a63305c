/* SPDX-License-Identifier: MPL-2.0 */
//
// Time as an argument: everything in core and drivers asks a Clock, so that tests can own the time.
#pragma once

#include <chrono>

#include "vtx/export.h"

namespace vtx::driver {

using Ms = std::chrono::milliseconds;
/// CLOCK_MONOTONIC of this process' machine: leases, timers, backoff.
using Steady = std::chrono::steady_clock::time_point;
/// The store's wall clock, kept non-decreasing within a stream: stored, expires, due.
using StoreTime = std::chrono::sys_time<Ms>;

/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Steady now() const = 0;
  virtual StoreTime wall() const = 0;
};

/// The machine's clocks. Never destroyed.
VTX_EXPORT const Clock& system_clock();

}  // namespace vtx::driver
