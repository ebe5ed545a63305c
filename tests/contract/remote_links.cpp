/* SPDX-License-Identifier: MPL-2.0 */
//
// Links on the in-memory store as a database that only one can have take part in the contract: attached to an owner of the place's own, or as whoever
// comes first.
#include <atomic>

#include "contract/link_contract.hpp"
#include "support/directory.hpp"
#include "support/memory_owned.hpp"
#include "support/threaded_store.hpp"

namespace vtx::test {
namespace {

class RemoteLinkPlace final : public LinkPlace {
 public:
  explicit RemoteLinkPlace(bool attached) {
    endpoint_.text = address();
    endpoint_.scheme = "memory";
    endpoint_.path = directory_.path("db");
    if (!attached) return;
    const MemoryPlace place = memory_at(endpoint_.path);
    owner_ = std::make_unique<ThreadedStore>(driver::make_shared_store(open_owned(place.database)), true);
    const Status started = owner_->start(endpoint_, true);
    EXPECT_TRUE(started.ok()) << started.text();
  }

  std::string address() const override { return "memory:" + directory_.path("db"); }
  std::function<void()> back_up() override {
    const auto database = memory_at(endpoint_.path).database;
    return [database, backup = database->back_up()] { database->restore(backup); };
  }

 private:
  const Directory directory_;
  driver::Endpoint endpoint_;
  std::unique_ptr<ThreadedStore> owner_;
};

LinkUnderTest remote_links(bool attached) {
  return {"memory, shared", "memory", vtx_shared_memory_driver,
          [attached] { return std::make_unique<RemoteLinkPlace>(attached); }, !attached};
}

}  // namespace

VTX_LINK_CONTRACT(MemoryAttached, remote_links(true));
VTX_LINK_CONTRACT(MemoryOwned, remote_links(false));

}  // namespace vtx::test
