/* SPDX-License-Identifier: MPL-2.0 */
//
// Texts that came from anywhere, for a database that takes neither NUL nor what is no UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace vtx::postgres {

/// Well-formed, as RFC 3629 has it.
bool is_utf8(std::string_view text);
/// For people: what cannot be shown is a question mark.
std::string readable(std::string_view text);
/// A name as it is stored: itself where it can be, else with \xHH for bytes, and \\ for a backslash.
std::string stored_name(std::string_view name);
/// The reverse.
std::string read_name(std::string_view stored);

}  // namespace vtx::postgres
