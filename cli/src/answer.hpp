/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx recv --type rep`: requests to standard output, each answered with the same text once it is written.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "failure.hpp"
#include "link_options.hpp"

namespace vtx::cli {

/// @param reply  the only frame of every reply
/// @param count  how many requests; UINT64_MAX: until told to stop
/// @param idle   end when nothing came for so long; nothing: never
Exit answer(const LinkOptions& link, const std::string& reply, std::uint64_t count,
            std::optional<std::chrono::milliseconds> idle);

}  // namespace vtx::cli
