/* SPDX-License-Identifier: MPL-2.0 */
#include "support/memory_owned.hpp"

namespace vtx::test {

namespace {

class MemoryOwned final : public driver::OwnedDatabase {
 public:
  MemoryOwned(std::shared_ptr<MemoryDatabase> database, std::shared_ptr<MemoryFaults> faults)
      : database_(std::move(database)), faults_(std::move(faults)) {}
  ~MemoryOwned() override { database_->disown(); }

  std::unique_ptr<driver::Store> session(const std::string&) override {
    auto store = std::make_unique<MemoryStore>(database_, faults_);
    store->leave_holders();
    return store;
  }
  void end_holders(std::span<const Id> holders) override { database_->end_holders(holders); }

 private:
  const std::shared_ptr<MemoryDatabase> database_;
  const std::shared_ptr<MemoryFaults> faults_;
};

Result<std::unique_ptr<driver::OwnedDatabase>> own(std::shared_ptr<MemoryDatabase> database,
                                                   std::shared_ptr<MemoryFaults> faults) {
  if (!database->own()) return fail(Code::busy, "another store has the memory database");
  return std::make_unique<MemoryOwned>(std::move(database), std::move(faults));
}

}  // namespace

driver::OpenOwned open_owned(std::shared_ptr<MemoryDatabase> database, std::shared_ptr<MemoryFaults> faults) {
  return [=](const driver::Endpoint&, bool) { return own(database, faults); };
}

extern "C" const vtx_driver_t* vtx_shared_memory_driver(void) {
  static const vtx_driver_t table = {VTX_DRIVER_ABI_VERSION,
                                     sizeof(vtx_driver_t),
                                     nullptr,
                                     nullptr,
                                     [] {
                                       auto store = driver::make_shared_store([](const driver::Endpoint& at, bool) {
                                         MemoryPlace place = memory_at(at.path);
                                         return own(std::move(place.database), std::move(place.faults));
                                       });
                                       return static_cast<void*>(store.release());
                                     },
                                     nullptr};
  return &table;
}

}  // namespace vtx::test
