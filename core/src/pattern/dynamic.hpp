/* SPDX-License-Identifier: MPL-2.0 */
//
// Patterns that an application puts together itself, of the same columns as the rows of the table (DESIGN, section 6): a text says what the link of a
// socket does, as far as the genuine socket can carry it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "pattern/pattern.hpp"
#include "vtx/driver/status.hpp"

namespace vtx {

/// A row with the text that it refers to.
struct DynamicPattern {
  Pattern row{};
  std::string retain;  ///< its default_retain
};

/// Parses "socket=dealer&in=none&streams=main". What is not said is as in the socket type's own row. A failure (invalid) is a whole
/// sentence that names what does not go together.
Result<std::unique_ptr<DynamicPattern>> parse_pattern(std::string_view spec);

}  // namespace vtx
