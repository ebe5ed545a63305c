/* SPDX-License-Identifier: MPL-2.0 */
//
// Base64 of RFC 4648, with padding: bytes that are no text, in JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vtx::cli {

std::string to_base64(std::string_view bytes);

/// Strict: no white space, padding as it must be. @return nothing when it is no base64
std::optional<std::string> from_base64(std::string_view text);

}  // namespace vtx::cli
