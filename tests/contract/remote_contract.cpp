/* SPDX-License-Identifier: MPL-2.0 */
//
// The in-memory store as a database that only one can have open takes part in the contract, whoever has it: another one than the test's stores,
// the first of them, or one that took it over from an owner that ended.
#include "contract/shared_place.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_owned.hpp"

namespace vtx::test {
namespace {

class RemotePlace final : public SharedPlace {
 public:
  explicit RemotePlace(Owner owner) { settle(owner); }
  ~RemotePlace() override { end(); }

  driver::Endpoint endpoint() const override {
    driver::Endpoint endpoint;
    endpoint.text = "memory:" + directory_.path("db");
    endpoint.scheme = "memory";
    endpoint.path = directory_.path("db");
    return endpoint;
  }
  void advance(Ms by) override { clock_.advance(by); }

 private:
  std::unique_ptr<driver::Store> make() override { return driver::make_shared_store(open_owned(database_)); }
  std::function<void()> copy() override {
    return [database = database_, backup = database_->back_up()] { database->restore(backup); };
  }

  ManualClock clock_;
  std::shared_ptr<MemoryDatabase> database_ = std::make_shared<MemoryDatabase>(clock_);
};

}  // namespace

VTX_STORE_CONTRACT(MemoryAttached, shared_under_test<RemotePlace>("memory, shared", Owner::another));
VTX_STORE_CONTRACT(MemoryOwned, shared_under_test<RemotePlace>("memory, shared", Owner::first));
VTX_STORE_CONTRACT(MemoryTakenOver, shared_under_test<RemotePlace>("memory, shared", Owner::successor));

}  // namespace vtx::test
