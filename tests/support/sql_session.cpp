/* SPDX-License-Identifier: MPL-2.0 */
#include "support/sql_session.hpp"

#include <libpq-fe.h>

#include <memory>

namespace vtx::test {
namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

SqlRows rows_of(pg_conn* connection, PGresult* got) {
  const Result result(got, PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
    const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    throw SqlError(PQerrorMessage(connection), state ? state : "");
  }
  SqlRows rows(static_cast<std::size_t>(PQntuples(result.get())));
  for (int row = 0; row < PQntuples(result.get()); ++row)
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      auto& value = rows[static_cast<std::size_t>(row)].emplace_back();
      if (!PQgetisnull(result.get(), row, column)) value = PQgetvalue(result.get(), row, column);
    }
  return rows;
}

}  // namespace

SqlSession::SqlSession(const std::string& address) : connection_(PQconnectdb(address.c_str())) {
  if (PQstatus(connection_) != CONNECTION_OK) {
    const std::string message = PQerrorMessage(connection_);
    PQfinish(connection_);
    throw SqlError(message, "");
  }
  PQsetNoticeProcessor(
      connection_, [](void*, const char*) {}, nullptr);
}

SqlSession::~SqlSession() { PQfinish(connection_); }

SqlRows SqlSession::exec(const std::string& text) { return rows_of(connection_, PQexec(connection_, text.c_str())); }

SqlRows SqlSession::exec(const std::string& text, const SqlRow& parameters) {
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  return rows_of(connection_, PQexecParams(connection_, text.c_str(), static_cast<int>(values.size()), nullptr,
                                           values.data(), nullptr, nullptr, 0));
}

std::string SqlSession::value(const std::string& text) {
  const SqlRows rows = exec(text);
  if (rows.size() != 1 || rows[0].size() != 1 || !rows[0][0])
    throw std::runtime_error("gives not exactly one value: " + text);
  return *rows[0][0];
}

}  // namespace vtx::test
