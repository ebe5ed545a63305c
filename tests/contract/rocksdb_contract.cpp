/* SPDX-License-Identifier: MPL-2.0 */
//
// The RocksDB driver takes part in the contract: a directory of its own, real time.
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "contract/rocksdb_backup.hpp"
#include "contract/store_contract.hpp"
#include "vtx/drivers/rocksdb.h"

namespace vtx::test {
namespace {

class RocksdbPlace final : public StorePlace {
 public:
  RocksdbPlace() {
    std::string name = (std::filesystem::temp_directory_path() / "vtx-contract-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::filesystem::filesystem_error("mkdtemp", {});
    directory_ = name;
  }
  ~RocksdbPlace() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  driver::Endpoint endpoint() const override {
    driver::Endpoint endpoint;
    endpoint.scheme = "rocksdb";
    endpoint.has_authority = true;
    endpoint.path = (directory_ / "q").string();
    endpoint.text = "rocksdb://" + endpoint.path;
    return endpoint;
  }
  std::unique_ptr<driver::Store> open() override {
    return std::unique_ptr<driver::Store>(static_cast<driver::Store*>(vtx_rocksdb_driver()->store()));
  }
  void advance(Ms by) override { std::this_thread::sleep_for(by); }
  std::function<void()> back_up() override { return back_up_directory(endpoint().path); }

 private:
  std::filesystem::path directory_;
};

StoreUnderTest rocksdb_under_test() {
  return {"rocksdb", [] { return std::make_unique<RocksdbPlace>(); }};
}

}  // namespace

VTX_STORE_CONTRACT(Rocksdb, rocksdb_under_test());

}  // namespace vtx::test
