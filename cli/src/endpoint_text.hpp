/* SPDX-License-Identifier: MPL-2.0 */
//
// Endpoints as texts: what a command must know of one, or add to it, before it is linked. What is right or wrong in it is for the library to say.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vtx::cli {

/// The value of an option, percent-decoded; nothing when it is not there.
std::optional<std::string> endpoint_option(std::string_view endpoint, std::string_view name);

/// The endpoint with this option, in place of the value that it may have had.
std::string with_option(std::string_view endpoint, std::string_view name, std::string_view value);

/// A sentence that may name endpoints, for a terminal or a log: with *** in place of their passwords.
std::string without_passwords(std::string_view sentence);

/// The scheme in lower case.
std::string scheme_of(std::string_view endpoint);

/// True for libzmq's own schemes, which know neither durability nor properties.
bool is_plain(std::string_view endpoint);

}  // namespace vtx::cli
