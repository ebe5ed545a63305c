/* SPDX-License-Identifier: MPL-2.0 */
//
// Properties: what travels beside a message's frames, as lines `Name: value`, each ended by \n. With `properties=on` they are the last frame
// of every message, both ways; in the store they are a text of their own. docs/properties.md lists the names.
#pragma once

#include <string>
#include <string_view>

#include "vtx/driver/clock.hpp"
#include "vtx/driver/status.hpp"

namespace vtx {

/// Adds a line.
void add_property(std::string& text, std::string_view name, std::string_view value);

/// The value of the first line with this name; empty when there is none.
std::string_view property_of(std::string_view text, std::string_view name);

/// What an application asks for, with the last frame of a message.
struct SentProperties {
  std::string kept;    ///< lines that go with the message: all but those that VTX itself writes or acts upon
  driver::Ms delay{};  ///< 0 none
  driver::Ms ttl{};    ///< 0 none
  int priority = 0;
};

/// @param defaults  what is asked for where the text says nothing
/// Fails with a sentence that names the line. A last line may lack its \n.
Result<SentProperties> parse_properties(std::string_view text, SentProperties defaults = {});

/// RFC 3339 with milliseconds, in UTC: "2026-11-21T08:00:00.000Z".
std::string rfc3339(driver::StoreTime time);

}  // namespace vtx
