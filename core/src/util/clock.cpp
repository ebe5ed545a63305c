/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/clock.hpp"

namespace vtx::driver {
namespace {

class SystemClock final : public Clock {
 public:
  Steady now() const override { return std::chrono::steady_clock::now(); }
  StoreTime wall() const override { return std::chrono::floor<Ms>(std::chrono::system_clock::now()); }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace vtx::driver
