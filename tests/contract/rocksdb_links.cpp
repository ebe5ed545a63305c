/* SPDX-License-Identifier: MPL-2.0 */
//
// Links on RocksDB take part in the contract: a directory of its own.
#include <cstdlib>
#include <filesystem>

#include "contract/link_contract.hpp"
#include "contract/rocksdb_backup.hpp"
#include "vtx/drivers/rocksdb.h"

namespace vtx::test {
namespace {

class RocksdbLinkPlace final : public LinkPlace {
 public:
  RocksdbLinkPlace() {
    std::string name = (std::filesystem::temp_directory_path() / "vtx-links-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::filesystem::filesystem_error("mkdtemp", {});
    directory_ = name;
  }
  ~RocksdbLinkPlace() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  std::string address() const override { return "rocksdb://" + (directory_ / "q").string(); }
  std::function<void()> back_up() override { return back_up_directory((directory_ / "q").string()); }

 private:
  std::filesystem::path directory_;
};

LinkUnderTest rocksdb_links() {
  return {"rocksdb", "rocksdb", vtx_rocksdb_driver, [] { return std::make_unique<RocksdbLinkPlace>(); }};
}

}  // namespace

VTX_LINK_CONTRACT(Rocksdb, rocksdb_links());

}  // namespace vtx::test
