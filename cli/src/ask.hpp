/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx send --type req`: each message of the input is a request, whose reply is written before the next is sent.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "failure.hpp"
#include "link_options.hpp"

namespace vtx::cli {

/// @param files    checked before
/// @param id       routing id of a durable asker; empty: nobody can come back as this one
/// @param timeout  for each reply; nothing: for ever
Exit ask(const LinkOptions& link, const std::vector<std::string>& files, const std::string& id,
         std::optional<std::chrono::milliseconds> timeout);

}  // namespace vtx::cli
