/* SPDX-License-Identifier: MPL-2.0 */
//
// The in-memory store as a database that only one can have open takes part in the contract, whoever has it: another one than the test's stores,
// the first of them, or one that took it over from an owner that ended.
#include <thread>

#include "contract/store_contract.hpp"
#include "support/directory.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_owned.hpp"
#include "support/threaded_store.hpp"

namespace vtx::test {
namespace {

enum class Owner {
  another,    ///< a store of the place's own
  first,      ///< the first that the test opens
  successor,  ///< one of the place's own, which took over from one that had been at work
};

class RemotePlace final : public StorePlace {
 public:
  explicit RemotePlace(Owner owner) {
    if (owner == Owner::first) return;
    owner_ = own();
    if (owner == Owner::another) return;
    const auto guest = std::make_unique<StoreSession>(open(), endpoint());
    guest->holder();
    owner_ = own();  // first it attaches to the one before, which then ends
    EXPECT_TRUE(guest->wait_lost());
    // It has the database as soon as nobody else can have it.
    while (database_->own()) {
      database_->disown();
      std::this_thread::sleep_for(Ms(1));
    }
  }

  driver::Endpoint endpoint() const override {
    driver::Endpoint endpoint;
    endpoint.text = "memory:" + directory_.path("db");
    endpoint.scheme = "memory";
    endpoint.path = directory_.path("db");
    return endpoint;
  }
  std::unique_ptr<driver::Store> open() override {
    return std::make_unique<ThreadedStore>(driver::make_shared_store(open_owned(database_)));
  }
  void advance(Ms by) override { clock_.advance(by); }
  std::function<void()> back_up() override {
    return [database = database_, backup = database_->back_up(), others = owner_ != nullptr] {
      const u64 before = database->times_owned();
      database->restore(backup);
      // Its owner loses its session, and opens it again.
      while (others && database->times_owned() == before) std::this_thread::sleep_for(Ms(1));
    };
  }

 private:
  std::unique_ptr<ThreadedStore> own() {
    auto store = std::make_unique<ThreadedStore>(driver::make_shared_store(open_owned(database_)), true);
    const Status started = store->start(endpoint(), true);
    EXPECT_TRUE(started.ok()) << started.text();
    return store;
  }

  const Directory directory_;
  ManualClock clock_;
  std::shared_ptr<MemoryDatabase> database_ = std::make_shared<MemoryDatabase>(clock_);
  std::unique_ptr<ThreadedStore> owner_;
};

StoreUnderTest remote_under_test(Owner owner) {
  return {"memory, shared", [owner] { return std::make_unique<RemotePlace>(owner); }, true, owner == Owner::first,
          owner == Owner::first};
}

}  // namespace

VTX_STORE_CONTRACT(MemoryAttached, remote_under_test(Owner::another));
VTX_STORE_CONTRACT(MemoryOwned, remote_under_test(Owner::first));
VTX_STORE_CONTRACT(MemoryTakenOver, remote_under_test(Owner::successor));

}  // namespace vtx::test
