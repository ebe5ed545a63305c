/* SPDX-License-Identifier: MPL-2.0 */
//
// Takes whole messages from a link.
#pragma once

#include "message.hpp"
#include "session.hpp"

namespace vtx::cli {

/// Puts the next message into `message`, without waiting. @return false when none is there. Throws Failure.
bool receive(Link& link, Message& message);

}  // namespace vtx::cli
