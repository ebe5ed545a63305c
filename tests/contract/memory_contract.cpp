/* SPDX-License-Identifier: MPL-2.0 */
//
// The in-memory store takes part in the contract, also with its answers shuffled, which a correct user cannot notice.
#include "contract/store_contract.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_store.hpp"

namespace vtx::test {
namespace {

class MemoryPlaceOfTest final : public StorePlace {
 public:
  explicit MemoryPlaceOfTest(u64 shuffle_seed) : seed_(shuffle_seed) {}

  driver::Endpoint endpoint() const override {
    driver::Endpoint endpoint;
    endpoint.text = "memory:contract";
    endpoint.scheme = "memory";
    endpoint.path = "contract";
    return endpoint;
  }
  std::unique_ptr<driver::Store> open() override {
    auto faults = std::make_shared<MemoryFaults>();
    faults->shuffle(seed_);
    return std::make_unique<MemoryStore>(database_, std::move(faults));
  }
  void advance(Ms by) override { clock_.advance(by); }
  std::function<void()> back_up() override {
    return [database = database_, backup = database_->back_up()] { database->restore(backup); };
  }

 private:
  u64 seed_;
  ManualClock clock_;
  std::shared_ptr<MemoryDatabase> database_ = std::make_shared<MemoryDatabase>(clock_);
};

StoreUnderTest memory_under_test(u64 shuffle_seed) {
  return {"memory", [shuffle_seed] { return std::make_unique<MemoryPlaceOfTest>(shuffle_seed); }};
}

}  // namespace

VTX_STORE_CONTRACT(Memory, memory_under_test(0));
VTX_STORE_CONTRACT(MemoryShuffled, memory_under_test(42));

}  // namespace vtx::test
