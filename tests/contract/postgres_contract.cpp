/* SPDX-License-Identifier: MPL-2.0 */
//
// The Postgres driver takes part in the contract, directly and through a pooler: a database of its own, real time.
#include <thread>

#include "contract/postgres_place.hpp"
#include "contract/store_contract.hpp"
#include "vtx/drivers/postgres.h"

namespace vtx::test {
namespace {

class PostgresStorePlace final : public StorePlace {
 public:
  explicit PostgresStorePlace(bool pooled) : place_(pooled) {}

  driver::Endpoint endpoint() const override { return place_.endpoint(); }
  std::unique_ptr<driver::Store> open() override {
    return std::unique_ptr<driver::Store>(static_cast<driver::Store*>(vtx_postgres_driver()->store()));
  }
  void advance(Ms by) override { std::this_thread::sleep_for(by); }
  std::function<void()> back_up() override { return place_.back_up(); }

 private:
  PostgresPlace place_;
};

StoreUnderTest postgres_under_test() {
  return {"postgres", [] { return std::make_unique<PostgresStorePlace>(false); }};
}

StoreUnderTest pgbouncer_under_test() {
  return {"pgbouncer", [] { return std::make_unique<PostgresStorePlace>(true); }};
}

}  // namespace

VTX_STORE_CONTRACT(Postgres, postgres_under_test());
VTX_STORE_CONTRACT(PgBouncer, pgbouncer_under_test());

}  // namespace vtx::test
