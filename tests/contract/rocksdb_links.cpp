/* SPDX-License-Identifier: MPL-2.0 */
//
// Links on RocksDB take part in the contract: as owners of a directory of their own, and attached to another owner.
#include "contract/link_contract.hpp"
#include "contract/rocksdb_backup.hpp"
#include "contract/shared_place.hpp"
#include "vtx/drivers/rocksdb.h"

namespace vtx::test {
namespace {

class RocksdbLinkPlace final : public LinkPlace {
 public:
  explicit RocksdbLinkPlace(bool attached) {
    if (!attached) return;
    owner_ = std::make_unique<ThreadedStore>(
        std::unique_ptr<driver::Store>(static_cast<driver::Store*>(vtx_rocksdb_driver()->store())), true);
    driver::Endpoint endpoint;
    endpoint.scheme = "rocksdb";
    endpoint.path = path();
    endpoint.text = address();
    const Status started = owner_->start(endpoint, true);
    EXPECT_TRUE(started.ok()) << started.text();
  }
  std::string address() const override { return "rocksdb://" + path(); }
  std::function<void()> back_up() override { return back_up_directory(path()); }

 private:
  std::string path() const { return directory_.path("q"); }

  const Directory directory_;
  std::unique_ptr<ThreadedStore> owner_;
};

LinkUnderTest rocksdb_links(bool attached) {
  return {attached ? "rocksdb, attached" : "rocksdb, owner", "rocksdb", vtx_rocksdb_driver,
          [attached] { return std::make_unique<RocksdbLinkPlace>(attached); }, !attached};
}

}  // namespace

VTX_LINK_CONTRACT(Rocksdb, rocksdb_links(false));
VTX_LINK_CONTRACT(RocksdbAttached, rocksdb_links(true));

}  // namespace vtx::test
