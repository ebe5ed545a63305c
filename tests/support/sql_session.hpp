/* SPDX-License-Identifier: MPL-2.0 */
//
// A plain connection to Postgres for tests, as a person at psql has it. Apart so that tests of the driver see the
// database by other means than the driver's.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

struct pg_conn;

namespace vtx::test {

using SqlRow = std::vector<std::optional<std::string>>;
using SqlRows = std::vector<SqlRow>;

/// What the server, or libpq, said.
struct SqlError : std::runtime_error {
  SqlError(const std::string& message, std::string state) : runtime_error(message), sqlstate(std::move(state)) {}
  const std::string sqlstate;  ///< five characters; empty when it came from no server
};

/// One connection; one thread at a time.
class SqlSession {
 public:
  /// @param address  postgres://… or key=value pairs as libpq takes them
  explicit SqlSession(const std::string& address);
  ~SqlSession();
  SqlSession(const SqlSession&) = delete;
  SqlSession& operator=(const SqlSession&) = delete;

  /// Any number of statements; rows of the last one, NULL as nullopt. Throws SqlError.
  SqlRows exec(const std::string& text);
  /// One statement with $1, $2…
  SqlRows exec(const std::string& text, const SqlRow& parameters);
  /// The single value of a statement that gives one. Throws when it gives anything else.
  std::string value(const std::string& text);
  /// For what this class has not, such as notifications.
  pg_conn* get() { return connection_; }

 private:
  pg_conn* connection_;
};

}  // namespace vtx::test
