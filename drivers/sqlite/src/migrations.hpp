/* SPDX-License-Identifier: MPL-2.0 */
//
// The schema's history, built in from migrations/sqlite.
#pragma once

#include <span>

namespace vtx::sqlite {

/// Statement texts; the nth (from 1) takes schema n-1 to n.
std::span<const char* const> migrations();

}  // namespace vtx::sqlite
