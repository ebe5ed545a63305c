/* SPDX-License-Identifier: MPL-2.0 */
//
// From an endpoint to what libpq connects with. Apart from the connection because it needs no server: what is wrong with an endpoint is said
// before anything is tried.
#pragma once

#include <string>
#include <vector>

#include "vtx/driver/endpoint.hpp"
#include "vtx/driver/status.hpp"

namespace vtx::postgres {

/// Options of an endpoint that this driver takes: two of its own, the others libpq's. Ended by a null pointer.
extern const char* const kOptions[];

/// Immutable once made.
struct Conninfo {
  /// Of libpq, in parallel. Never joined to a string: libpq quotes one that it cannot parse, with the password.
  std::vector<std::string> keywords, values;
  std::string place;           ///< for errors, without secrets: postgres://user@host/database
  std::string schema = "vtx";  ///< option schema: where VTX's tables are; letters, digits and _, to be quoted in SQL
  /// Option pooler: a pooler in transaction mode is between us and the server, so nothing may be left to the session.
  bool pooler = false;

  /// Value of a keyword; empty when it is not set.
  const std::string& value(const std::string& keyword) const;
};

/// Explicit settings stand above libpq's environment and service file, and so do VTX's defaults: to change one, write it in the endpoint.
/// Fails with: invalid (an option, host or port).
vtx::Result<Conninfo> make_conninfo(const driver::Endpoint& endpoint);

}  // namespace vtx::postgres
