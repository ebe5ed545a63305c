/* SPDX-License-Identifier: MPL-2.0 */
//
// Links on Postgres take part in the contract, directly and through a pooler: a database of its own.
#include "contract/link_contract.hpp"
#include "contract/postgres_place.hpp"
#include "vtx/drivers/postgres.h"

namespace vtx::test {
namespace {

class PostgresLinkPlace final : public LinkPlace {
 public:
  explicit PostgresLinkPlace(bool pooled) : place_(pooled) {}

  std::string address() const override { return place_.address(); }
  std::string options() const override { return place_.options(); }
  std::function<void()> back_up() override { return place_.back_up(); }

 private:
  PostgresPlace place_;
};

LinkUnderTest postgres_links() {
  return {"postgres", "postgres", vtx_postgres_driver, [] { return std::make_unique<PostgresLinkPlace>(false); }};
}

LinkUnderTest pgbouncer_links() {
  return {"pgbouncer", "postgres", vtx_postgres_driver, [] { return std::make_unique<PostgresLinkPlace>(true); }};
}

}  // namespace

VTX_LINK_CONTRACT(Postgres, postgres_links());
VTX_LINK_CONTRACT(PgBouncer, pgbouncer_links());

}  // namespace vtx::test
