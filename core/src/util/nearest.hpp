/* SPDX-License-Identifier: MPL-2.0 */
//
// The name that somebody probably meant: for errors that end in "did you mean …?".
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace vtx {

/// Insertions, deletions, substitutions and swaps of neighbours that lead from `a` to `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate closest to `text` when it is close enough to be a slip of the fingers; empty else. The first wins a tie.
std::string_view nearest(std::string_view text, std::span<const std::string_view> candidates);

}  // namespace vtx
