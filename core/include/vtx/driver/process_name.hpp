/* SPDX-License-Identifier: MPL-2.0 */
//
// Names of processes that outlive them, so that whoever finds one in a database can tell whether the process is gone.
#pragma once

#include <sys/types.h>

#include <string>

#include "vtx/driver/status.hpp"

namespace vtx::driver {

/// Of a process of this machine: which run of the kernel, which PID namespace, its number there, and when it started (proc(5)). Any thread.
/// @return empty when that cannot be told
VTX_EXPORT std::string name_of_process(pid_t pid);

/// True when that process has ended for certain; false when it lives, or when nobody can tell: a name of another PID namespace, an empty one. Any thread.
VTX_EXPORT bool has_process_ended(const std::string& name);

}  // namespace vtx::driver
