/* SPDX-License-Identifier: MPL-2.0 */
//
// The bash completion of the command.
#pragma once

#include <string>

#include "help_tree.hpp"

namespace vtx::cli {

/// A script that completes commands, options and the values of those that have a choice; all else as file names.
std::string bash_completion(const CommandHelp& command);

}  // namespace vtx::cli
