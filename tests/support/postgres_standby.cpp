/* SPDX-License-Identifier: MPL-2.0 */
#include "support/postgres_standby.hpp"

#include <thread>

namespace vtx::test {

StandbyServer::StandbyServer(const PostgresServer& primary, std::vector<std::string> settings)
    : PostgresServer(Empty{}, std::move(settings)) {
  run_command(
      unprivileged({postgres_program("pg_basebackup"), "--pgdata=" + data().string(), "--host=" + primary.host(),
                    "--port=" + std::to_string(primary.port()), "--username=postgres", "--no-password", "--no-sync",
                    "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf"}),
      log());
  start();
}

bool StandbyServer::catch_up(const PostgresServer& primary, std::chrono::milliseconds patience) const {
  const std::string written = *primary.sql("postgres", "SELECT pg_current_wal_flush_lsn()")[0][0];
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (sql("postgres", "SELECT pg_last_wal_replay_lsn() >= '" + written + "'::pg_lsn")[0][0] == "t") return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return false;
}

void StandbyServer::promote() {
  if (sql("postgres", "SELECT pg_promote(true, 60)")[0][0] != "t")
    throw std::runtime_error("not promoted:\n" + end_of(log()));
}

}  // namespace vtx::test
