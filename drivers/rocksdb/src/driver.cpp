/* SPDX-License-Identifier: MPL-2.0 */
#include "store.hpp"
#include "vtx/drivers/rocksdb.h"

namespace {

constexpr const char* kOptions[] = {"compression", "memtable", nullptr};

vtx::Result<std::unique_ptr<vtx::driver::OwnedDatabase>> open(const vtx::driver::Endpoint& endpoint, bool create) {
  if (endpoint.has_authority && !endpoint.authority.empty())
    return vtx::fail(vtx::Code::invalid, "a RocksDB directory has no host '" + endpoint.authority +
                                             "'; write rocksdb:///absolute/path or rocksdb:path");
  const auto tuning = vtx::rocks::tuning_of(endpoint);
  if (!tuning) return tl::unexpected(tuning.error());
  return vtx::rocks::Database::open(endpoint.path, create, *tuning);
}

void* make_store() { return vtx::driver::make_shared_store(open).release(); }

constexpr vtx_driver_t kDriver = {VTX_DRIVER_ABI_VERSION, sizeof(vtx_driver_t), kOptions, nullptr, make_store, nullptr};

}  // namespace

const vtx_driver_t* vtx_rocksdb_driver() { return &kDriver; }
