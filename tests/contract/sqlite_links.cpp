/* SPDX-License-Identifier: MPL-2.0 */
//
// Links on SQLite take part in the contract: a file in a directory of its own.
#include <cstdlib>
#include <filesystem>

#include "contract/link_contract.hpp"
#include "contract/sqlite_backup.hpp"
#include "vtx/drivers/sqlite.h"

namespace vtx::test {
namespace {

class SqliteLinkPlace final : public LinkPlace {
 public:
  SqliteLinkPlace() {
    std::string name = (std::filesystem::temp_directory_path() / "vtx-links-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::filesystem::filesystem_error("mkdtemp", {});
    directory_ = name;
  }
  ~SqliteLinkPlace() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  std::string address() const override { return "sqlite://" + (directory_ / "q.db").string(); }
  std::function<void()> back_up() override { return back_up_database((directory_ / "q.db").string()); }

 private:
  std::filesystem::path directory_;
};

LinkUnderTest sqlite_links() {
  return {"sqlite", "sqlite", vtx_sqlite_driver, [] { return std::make_unique<SqliteLinkPlace>(); }};
}

}  // namespace

VTX_LINK_CONTRACT(Sqlite, sqlite_links());

}  // namespace vtx::test
