/* SPDX-License-Identifier: MPL-2.0 */
#include "postgres_server.hpp"

#include <algorithm>

#include "receiver.hpp"
#include "sql.hpp"

namespace vtx::bench {

std::string endpoint_on(const Options& options, const std::string& more) {
  const char* joint = options.postgres.find('?') == std::string::npos ? "?" : "&";
  return options.postgres + joint + "schema=vtx_bench&queue=bench&" + more;
}

void drop_schema(const Options& options) { Sql(options.postgres).run("DROP SCHEMA IF EXISTS vtx_bench CASCADE"); }

void settle_server(const Options& options) {
  drop_schema(options);
  Sql sql(options.postgres);
  sql.run("DO $$ BEGIN EXECUTE 'CHECKPOINT'; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$");
}

double raw_enqueue(const Options& options, std::uint64_t messages, std::uint64_t batch) {
  Sql sql(options.postgres);
  sql.run(
      "CREATE SCHEMA IF NOT EXISTS vtx_bench; DROP TABLE IF EXISTS vtx_bench.raw_message; CREATE TABLE "
      "vtx_bench.raw_message (stream int NOT NULL, seq bigint NOT NULL, stored bigint NOT NULL, expires bigint, frames "
      "int NOT NULL DEFAULT 1, properties bytea, body bytea NOT NULL, PRIMARY KEY (stream, seq))");
  sql.prepare(
      "insert",
      "INSERT INTO vtx_bench.raw_message (stream, seq, stored, expires, frames, properties, body) "
      "SELECT 1, $1::bigint + n, $2::bigint, NULL, 1, NULL, b FROM unnest($3::bytea[]) WITH ORDINALITY AS m (b, n)");
  const auto start = Clock::now();
  for (std::uint64_t done = 0; done < messages; done += batch) {
    const std::uint64_t count = std::min(batch, messages - done);
    SqlParameters parameters;
    parameters.add(static_cast<std::int64_t>(done))
        .add(nanoseconds() / 1'000'000)
        .add_bodies(count, options.size, done);
    sql.execute("insert", parameters);
  }
  return seconds_since(start);
}

}  // namespace vtx::bench
