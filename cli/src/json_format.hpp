/* SPDX-License-Identifier: MPL-2.0 */
//
// The format `json`, one object a line, which carries every message and its properties:
//
//   {"frames": ["text", {"base64": "AP8="}], "properties": {"Name": "value", "Twice": ["a", "b"]}}
//
// A frame or value is a text when it is valid UTF-8, else its bytes in base64. `properties` may be left out.
#pragma once

#include <string>
#include <string_view>

#include "message.hpp"

namespace vtx::cli {

/// Appends the message as a line.
void encode_json(const Message& message, std::string& out);

/// Fills the message from one line. Throws Failure with half a sentence, which follows the name of the line.
void decode_json(std::string_view line, Message& message);

}  // namespace vtx::cli
