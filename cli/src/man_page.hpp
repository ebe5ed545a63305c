/* SPDX-License-Identifier: MPL-2.0 */
//
// Manual pages in man(7), of commands and of endpoints.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "help_tree.hpp"

namespace vtx::cli {

/// "vtx-send.1" of "vtx send".
std::string page_name(const CommandHelp& command);

/// Page of a command, its own commands included. For the first of all they are only named: each has its own page.
std::string man_page(const CommandHelp& command, const std::string& version);

/// vtx-endpoints(7). @param options  as vtx_endpoint_options() tells them
std::string endpoint_page(const nlohmann::json& options, const std::string& version);

}  // namespace vtx::cli
