/* SPDX-License-Identifier: MPL-2.0 */
//
// The SQL that is built in: numbered migrations, and the functions, which are made anew with each.
#pragma once

#include <span>
#include <string>

namespace vtx::postgres {

/// In order; the first one makes schema 1.
std::span<const char* const> migrations();
/// In the order in which they can be made; the first `kFirst` ones before the books are.
std::span<const char* const> functions();

/// One statement that brings the schema `name` to what this library knows, or leaves it as it is: under a lock, so that many may try at once.
std::string migration_statement(const std::string& name);

}  // namespace vtx::postgres
