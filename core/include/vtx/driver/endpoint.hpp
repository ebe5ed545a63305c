/* SPDX-License-Identifier: MPL-2.0 */
//
// A parsed endpoint as drivers see it. The grammar and the option table live in core/src/endpoint.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace vtx::driver {

/// Immutable once parsed. Every text is percent-decoded.
struct Endpoint {
  std::string text;            ///< as the user wrote it, without secrets: for events and errors
  std::string scheme;          ///< as registered
  bool has_authority = false;  ///< "//" was written
  /// "user:password@", split before decoding so that both may hold any character. The password is never for an error, event or log.
  std::optional<std::string> user, password;
  std::string authority;                       ///< the rest up to the path: host1,host2:5432; empty for embedded stores
  std::string path;                            ///< "/var/lib/app/q.db" or "q.db"
  std::map<std::string, std::string> options;  ///< those that the driver declared as its own
};

}  // namespace vtx::driver
