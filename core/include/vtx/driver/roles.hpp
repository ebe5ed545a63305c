/* SPDX-License-Identifier: MPL-2.0 */
//
// What a queue remembers of those that were linked to it: a text of roles ("connect:REQ bind:REP"), which a store keeps as it is.
#pragma once

#include <string>
#include <string_view>

#include "vtx/driver/operations.hpp"
#include "vtx/export.h"

namespace vtx::driver {

/// mismatch when the queue remembers a role that the link excludes.
VTX_EXPORT Status check_role(const OpenQueue& open, std::string_view roles);
/// The roles and this one; the same text when it is there, or is none.
VTX_EXPORT std::string with_role(std::string_view roles, std::string_view role);

}  // namespace vtx::driver
