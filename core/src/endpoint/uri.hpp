/* SPDX-License-Identifier: MPL-2.0 */
//
// The generic syntax of RFC 3986 and nothing about VTX: splits a URI into its parts and decodes them once.
// More lenient than the RFC in one point (valid UTF-8 may stand unencoded) and stricter in two: no fragment,
// and no control characters, encoded or not, because every part ends up in a file name, a log line or SQL.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vtx/driver/status.hpp"

namespace vtx {

inline constexpr std::size_t kMaxUriBytes = 8192;

/// Parts of a URI, decoded. Schemes are lower case; `+` is a plus.
struct Uri {
  std::string scheme;
  bool has_authority = false;
  std::optional<std::string> user;
  std::optional<std::string> password;
  std::string authority;  ///< without user and password
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;  ///< in order, repeated names included
};

/// The scheme of a URI, lower case; empty when it has none.
std::string scheme_of(std::string_view uri);

/// Splits and decodes. The sentence of a failure speaks of the part, not of the URI: the caller knows how to show that one.
Result<Uri> parse_uri(std::string_view text);

/// `text` for people: the password of its authority, options that hold one, and of URIs inside it become ***;
/// control characters and broken UTF-8 are percent-encoded; cut off where it is very long. Takes any bytes, errs on the side of hiding.
std::string displayable_uri(std::string_view text);

/// Whether the password of the authority seems to hold an unencoded '/', '?' or '#'. What the grammar then takes for path or
/// options is part of the secret.
bool has_unencoded_password(std::string_view text);

/// Any bytes for people: as above, without looking for secrets.
std::string printable(std::string_view text);

/// Whether an option of this name, or a slip of the fingers away from it, holds a secret.
bool is_secret_option(std::string_view name);

}  // namespace vtx
