/* SPDX-License-Identifier: MPL-2.0 */
//
// The one place where the command learns which drivers were built.
#pragma once

#include <vtx/vtx.h>

namespace vtx::cli {

/// Registers every driver that was built in. Throws Failure.
void register_drivers(vtx_t* vtx);

}  // namespace vtx::cli
