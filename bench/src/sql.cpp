/* SPDX-License-Identifier: MPL-2.0 */
#include "sql.hpp"

#include <cstring>

#include "arena.hpp"

namespace vtx::bench {
namespace {

constexpr std::uint32_t kByteaOid = 17;  // pg_type.dat

/// In network order.
template <class Number>
void append(std::string& to, Number number) {
  for (int shift = 8 * (static_cast<int>(sizeof number) - 1); shift >= 0; shift -= 8)
    to.push_back(static_cast<char>(static_cast<unsigned char>(number >> shift)));
}

}  // namespace

SqlParameters& SqlParameters::add(std::int64_t number) {
  append(values_.emplace_back(), static_cast<std::uint64_t>(number));
  return *this;
}

SqlParameters& SqlParameters::add_bodies(std::uint64_t count, std::size_t size, std::uint64_t first) {
  std::string& array = values_.emplace_back();
  array.reserve(20 + count * (size + 4));
  append(array, std::uint32_t{1});  // dimensions
  append(array, std::uint32_t{0});  // without nulls
  append(array, kByteaOid);
  append(array, static_cast<std::uint32_t>(count));
  append(array, std::uint32_t{1});  // the first index
  std::string body(size, 'x');
  for (std::uint64_t number = first; number < first + count; ++number) {
    std::memcpy(body.data(), &number, sizeof number);
    append(array, static_cast<std::uint32_t>(size));
    array += body;
  }
  return *this;
}

Sql::Sql(const std::string& uri) : connection_(PQconnectdb(uri.c_str()), &PQfinish) {
  if (PQstatus(connection_.get()) != CONNECTION_OK)
    throw Failure(std::string("raw loop: ") + PQerrorMessage(connection_.get()));
  run("SET client_min_messages = warning; SET synchronous_commit = on");
}

SqlResult Sql::check(PGresult* result, const std::string& what) {
  SqlResult owned(result, &PQclear);
  const auto status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
    throw Failure("raw loop: " + what + ": " + PQerrorMessage(connection_.get()));
  return owned;
}

SqlResult Sql::run(const std::string& statements) {
  return check(PQexec(connection_.get(), statements.c_str()), statements);
}

void Sql::prepare(const char* name, const char* statement) {
  check(PQprepare(connection_.get(), name, statement, 0, nullptr), statement);
}

SqlResult Sql::execute(const char* name, const SqlParameters& parameters) {
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const std::string& value : parameters.values_) {
    values.push_back(value.data());
    lengths.push_back(static_cast<int>(value.size()));
    formats.push_back(1);
  }
  return check(PQexecPrepared(connection_.get(), name, static_cast<int>(values.size()), values.data(), lengths.data(),
                              formats.data(), 1),
               name);
}

}  // namespace vtx::bench
