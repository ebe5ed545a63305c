/* SPDX-License-Identifier: MPL-2.0 */
//
// A clock that stands still until a test moves it.
#pragma once

#include <atomic>

#include "vtx/driver/clock.hpp"

namespace vtx::test {

/// Thread-safe. Both clocks begin at a fixed moment and move together; set_wall() alone can also go back.
class ManualClock final : public driver::Clock {
 public:
  driver::Steady now() const override { return driver::Steady(driver::Ms(steady_ms_.load())); }
  driver::StoreTime wall() const override { return driver::StoreTime(driver::Ms(wall_ms_.load())); }

  void advance(driver::Ms by) {
    steady_ms_ += by.count();
    wall_ms_ += by.count();
  }
  void set_wall(driver::StoreTime to) { wall_ms_ = to.time_since_epoch().count(); }

 private:
  std::atomic<driver::Ms::rep> steady_ms_{1'000'000};
  std::atomic<driver::Ms::rep> wall_ms_{1'700'000'000'000};
};

}  // namespace vtx::test
