/* SPDX-License-Identifier: MPL-2.0 */
#include <new>

#include "store.hpp"
#include "vtx/drivers/rocksdb.h"

namespace {

constexpr const char* kOptions[] = {"compression", "memtable", nullptr};

void* make_store() {
  // As the interface: the caller casts back to it.
  vtx::driver::Store* store = new (std::nothrow) vtx::rocks::RocksStore;
  return store;
}

constexpr vtx_driver_t kDriver = {VTX_DRIVER_ABI_VERSION, sizeof(vtx_driver_t), kOptions, nullptr, make_store, nullptr};

}  // namespace

const vtx_driver_t* vtx_rocksdb_driver() { return &kDriver; }
