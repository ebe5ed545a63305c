/* SPDX-License-Identifier: MPL-2.0 */
//
// The options of an endpoint: one row each. A new option is a member of LinkOptions, a row here and one in docs/endpoints.md.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "endpoint/endpoint.hpp"

namespace vtx {

/// Whose link an option shapes.
enum class OptionOf { both, producers, consumers };

struct OptionRow {
  std::string_view name;
  OptionOf of;
  std::string_view types;   ///< socket types it is for, separated by spaces; empty: every type that `of` fits
  std::string_view since;   ///< release that brought it; empty: recognised, not yet supported
  std::string_view values;  ///< default first
  std::string_view help;    ///< one line
  /// Turns text into a member of LinkOptions. A failure is what follows "option 'name': ". Null where not yet supported.
  Status (*parse)(std::string_view text, LinkOptions& options);
};

/// In the order of the documentation.
std::span<const OptionRow> option_table();

/// Those that are supported, as vtx_endpoint_options() tells them.
const std::string& option_table_as_json();

/// Null when VTX has no such option.
const OptionRow* find_option(std::string_view name);

}  // namespace vtx
