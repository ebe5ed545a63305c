/* SPDX-License-Identifier: MPL-2.0 */
//
// Takes whole messages from a link.
#pragma once

#include "message.hpp"
#include "session.hpp"

namespace vtx::cli {

/// Puts the next message into `message`, without waiting.
/// @param properties  the link has properties=on: its last frame is the message's properties. @return false when none is there. Throws Failure.
bool receive(Link& link, bool properties, Message& message);

}  // namespace vtx::cli
