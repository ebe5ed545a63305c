/* SPDX-License-Identifier: MPL-2.0 */
#include <new>

#include "store.hpp"
#include "vtx/drivers/postgres.h"

namespace {

void* make_store() {
  // As the interface: the caller casts back to it.
  vtx::driver::Store* store = new (std::nothrow) vtx::postgres::PostgresStore;
  return store;
}

constexpr vtx_driver_t kDriver = {
    VTX_DRIVER_ABI_VERSION, sizeof(vtx_driver_t), vtx::postgres::kOptions, nullptr, make_store, nullptr};

}  // namespace

const vtx_driver_t* vtx_postgres_driver() { return &kDriver; }
