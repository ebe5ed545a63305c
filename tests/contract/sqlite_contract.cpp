/* SPDX-License-Identifier: MPL-2.0 */
//
// The SQLite driver takes part in the contract: a file in a directory of its own, real time.
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "contract/sqlite_backup.hpp"
#include "contract/store_contract.hpp"
#include "vtx/drivers/sqlite.h"

namespace vtx::test {
namespace {

class SqlitePlace final : public StorePlace {
 public:
  SqlitePlace() {
    std::string name = (std::filesystem::temp_directory_path() / "vtx-contract-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::filesystem::filesystem_error("mkdtemp", {});
    directory_ = name;
  }
  ~SqlitePlace() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  driver::Endpoint endpoint() const override {
    driver::Endpoint endpoint;
    endpoint.scheme = "sqlite";
    endpoint.has_authority = true;
    endpoint.path = (directory_ / "q.db").string();
    endpoint.text = "sqlite://" + endpoint.path;
    return endpoint;
  }
  std::unique_ptr<driver::Store> open() override {
    return std::unique_ptr<driver::Store>(static_cast<driver::Store*>(vtx_sqlite_driver()->store()));
  }
  void advance(Ms by) override { std::this_thread::sleep_for(by); }
  std::function<void()> back_up() override { return back_up_database(endpoint().path); }

 private:
  std::filesystem::path directory_;
};

StoreUnderTest sqlite_under_test() {
  return {"sqlite", [] { return std::make_unique<SqlitePlace>(); }};
}

}  // namespace

VTX_STORE_CONTRACT(Sqlite, sqlite_under_test());

}  // namespace vtx::test
