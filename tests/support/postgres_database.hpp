/* SPDX-License-Identifier: MPL-2.0 */
//
// A fresh database for a test, on the server that all test programs of a run share: starting one takes a second, a
// database some hundredths. The ctest fixture `postgres` (postgres_fixture.cpp) starts that server and a PgBouncer and leaves
// word of them in a file.
#pragma once

#include <cstdint>
#include <string>

#include "support/sql_session.hpp"
#include "vtx/driver/endpoint.hpp"

namespace vtx::test {

/// Where the run's servers are.
struct SharedPostgres {
  std::string socket_directory;
  std::uint16_t port = 0;          ///< of Postgres, on 127.0.0.1
  std::uint16_t bouncer_port = 0;  ///< of PgBouncer, likewise

  /// Throws when no fixture is running.
  static const SharedPostgres& get();
};

/// Dropped, whoever still uses it, when it goes out of scope. Owned by the role `vtx`, which may do nothing else.
/// One thread at a time.
class PostgresDatabase {
 public:
  /// tcp: the server itself; socket: likewise by its Unix socket; bouncer: through PgBouncer.
  enum class Way { tcp, socket, bouncer };

  PostgresDatabase();
  ~PostgresDatabase();
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;

  const std::string& name() const { return name_; }
  /// postgres://vtx@127.0.0.1:PORT/NAME or, by the socket, postgres://vtx@/NAME?host=DIRECTORY&port=PORT.
  std::string address(Way way = Way::tcp) const;
  /// The address as the core parses it. By the socket, `host` and `port` are options of the driver.
  driver::Endpoint endpoint(Way way = Way::tcp) const;
  /// A statement in a session of its own: as the owner, or as the superuser.
  SqlRows sql(const std::string& text) const;
  SqlRows sql_as_superuser(const std::string& text) const;
  /// What libpq takes, for programs such as pg_dump.
  std::string conninfo() const;

 private:
  std::string name_;
};

}  // namespace vtx::test
