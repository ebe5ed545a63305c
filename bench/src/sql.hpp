/* SPDX-License-Identifier: MPL-2.0 */
//
// A connection to Postgres as a program uses it that has no more than libpq: it blocks. Failures are thrown.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vtx::bench {

using SqlResult = std::unique_ptr<PGresult, decltype(&PQclear)>;

/// Parameters in binary.
class SqlParameters {
 public:
  SqlParameters& add(std::int64_t number);
  /// bytea[] of numbered messages of `size` bytes, as send_numbered() sends them.
  SqlParameters& add_bodies(std::uint64_t count, std::size_t size, std::uint64_t first);

 private:
  friend class Sql;
  std::vector<std::string> values_;
};

/// One thread at a time.
class Sql {
 public:
  explicit Sql(const std::string& uri);

  SqlResult run(const std::string& statements);
  void prepare(const char* name, const char* statement);
  /// Results are in binary.
  SqlResult execute(const char* name, const SqlParameters& parameters);
  PGconn* connection() const { return connection_.get(); }

 private:
  SqlResult check(PGresult* result, const std::string& what);

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

}  // namespace vtx::bench
