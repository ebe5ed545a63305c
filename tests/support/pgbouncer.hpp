/* SPDX-License-Identifier: MPL-2.0 */
//
// A PgBouncer before a Postgres, pooling by transaction: between two transactions a client has no session of the server,
// so notifications, advisory locks of a session and prepared statements do not work through it.
#pragma once

#include <optional>

#include "support/postgres_server.hpp"

namespace vtx::test {

/// Running as long as it is in scope; serves every database of the server to the role `vtx`. One thread at a time.
class PgBouncer {
 public:
  explicit PgBouncer(const PostgresServer& server);
  ~PgBouncer();
  PgBouncer(const PgBouncer&) = delete;
  PgBouncer& operator=(const PgBouncer&) = delete;

  static std::string host() { return "127.0.0.1"; }
  std::uint16_t port() const { return port_; }
  std::string address(const std::string& database) const;

 private:
  /// False when another one has the port.
  bool try_start(const PostgresServer& server);

  const ServerDirectory directory_;
  std::uint16_t port_ = 0;
  std::optional<ServerProcess> process_;
};

}  // namespace vtx::test
