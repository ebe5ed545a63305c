/* SPDX-License-Identifier: MPL-2.0 */
//
// The RocksDB driver takes part in the contract, as the directory's owner, attached to another, and after a take-over: a directory of its own, real time.
#include "contract/rocksdb_backup.hpp"
#include "contract/shared_place.hpp"
#include "vtx/drivers/rocksdb.h"

namespace vtx::test {
namespace {

class RocksdbPlace final : public SharedPlace {
 public:
  explicit RocksdbPlace(Owner owner) { settle(owner); }
  ~RocksdbPlace() override { end(); }

  driver::Endpoint endpoint() const override {
    driver::Endpoint endpoint;
    endpoint.scheme = "rocksdb";
    endpoint.has_authority = true;
    endpoint.path = directory_.path("q");
    endpoint.text = "rocksdb://" + endpoint.path;
    return endpoint;
  }
  void advance(Ms by) override { std::this_thread::sleep_for(by); }

 private:
  std::unique_ptr<driver::Store> make() override {
    return std::unique_ptr<driver::Store>(static_cast<driver::Store*>(vtx_rocksdb_driver()->store()));
  }
  std::function<void()> copy() override { return back_up_directory(endpoint().path); }
};

}  // namespace

VTX_STORE_CONTRACT(Rocksdb, shared_under_test<RocksdbPlace>("rocksdb, owner", Owner::first));
VTX_STORE_CONTRACT(RocksdbAttached, shared_under_test<RocksdbPlace>("rocksdb, attached", Owner::another));
VTX_STORE_CONTRACT(RocksdbTakenOver, shared_under_test<RocksdbPlace>("rocksdb, after a take-over", Owner::successor));

}  // namespace vtx::test
