/* SPDX-License-Identifier: MPL-2.0 */
//
// The in-memory database as one that only one store can have open, which the others share through core's shared store.
#pragma once

#include "support/memory_store.hpp"
#include "vtx/driver/shared_store.hpp"

namespace vtx::test {

/// Opens this database, whatever the endpoint says; busy while it is open.
driver::OpenOwned open_owned(std::shared_ptr<MemoryDatabase> database, std::shared_ptr<MemoryFaults> faults = {});

/// The driver table, for vtx_register(vtx, "memory", vtx_shared_memory_driver): what stands behind the path (memory_at()), shared.
extern "C" const vtx_driver_t* vtx_shared_memory_driver(void);

}  // namespace vtx::test
