/* SPDX-License-Identifier: MPL-2.0 */
//
// See drivers.hpp.
#include "drivers.hpp"

#include "failure.hpp"

#ifdef VTX_HAVE_SQLITE
#include <vtx/drivers/sqlite.h>
#endif

namespace vtx::cli {

void register_drivers([[maybe_unused]] vtx_t* vtx) {
#ifdef VTX_HAVE_SQLITE
  if (vtx_register(vtx, "sqlite", vtx_sqlite_driver) != 0) throw last_failure("sqlite:");
#endif
}

}  // namespace vtx::cli
