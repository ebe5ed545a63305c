/* SPDX-License-Identifier: MPL-2.0 */
//
// What a message's properties say once it is a dead letter, in the queue QUEUE.dead: where it comes from, and why it ended. docs/properties.md
// lists the lines.
#pragma once

#include <string>
#include <string_view>

#include "vtx/driver/names.hpp"
#include "vtx/driver/operations.hpp"
#include "vtx/export.h"

namespace vtx::driver {

/// How a message ended.
struct Death {
  std::string queue;  ///< that it was in
  GroupName group;    ///< that gave it up
  Seq seq = 0;
  u32 delivery = 1;    ///< the last one
  std::string reason;  ///< for people; of several lines it is made one
  int priority = 0;
  bool again = false;  ///< it was a dead letter that had been given back: it keeps the sequence it had in its own queue
};

/// The properties with the lines that tell of its death, and without those that an earlier one left.
VTX_EXPORT std::string with_death(std::string_view properties, const Death& death);

/// Where a dead letter comes from, and can be given back to.
struct DeadFrom {
  std::string queue;
  std::string group;  ///< as to_text(GroupName)
  int priority = 0;
};

/// What the lines say; empty where they say nothing.
VTX_EXPORT DeadFrom dead_from(std::string_view properties);

}  // namespace vtx::driver
