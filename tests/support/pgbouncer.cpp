/* SPDX-License-Identifier: MPL-2.0 */
#include "support/pgbouncer.hpp"

#include <libpq-fe.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <thread>

namespace vtx::test {

PgBouncer::PgBouncer(const PostgresServer& server) {
  for (int tries = 0; tries < 20; ++tries) {
    port_ = free_port();
    if (try_start(server)) return;
  }
  throw std::runtime_error("PgBouncer does not start:\n" + end_of(directory_.path() / "log"));
}

PgBouncer::~PgBouncer() {
  if (process_) process_->signal(SIGTERM);
}

std::string PgBouncer::address(const std::string& database) const {
  return "postgres://vtx@" + host() + ":" + std::to_string(port_) + "/" + database;
}

bool PgBouncer::try_start(const PostgresServer& server) {
  const std::string directory = directory_.path().string();
  std::ofstream(directory + "/users") << "\"vtx\" \"\"\n";
  // A pool a database: 20 sessions of the server at most, and a client that is in no transaction has none of them.
  std::ofstream(directory + "/pgbouncer.ini")
      << "[databases]\n* = host=" << server.host() << " port=" << server.port()
      << "\n[pgbouncer]\nlisten_addr=" << host() << "\nlisten_port=" << port_ << "\nunix_socket_dir=" << directory
      << "\nauth_type=trust\nauth_file=" << directory
      << "/users\npool_mode=transaction\nmax_client_conn=1000\ndefault_pool_size=20\n"
         "ignore_startup_parameters=extra_float_digits,options,search_path\n"
         "server_login_retry=1\nlog_connections=0\nlog_disconnections=0\n";
  process_.emplace(
      Command{find_program("pgbouncer", {"/usr/sbin", "/usr/bin"}, "pgbouncer"), directory + "/pgbouncer.ini"},
      directory_.path() / "log", directory_);
  // Its own database, which only those it calls administrators may enter: a refusal is an answer, too.
  const std::string where =
      "host=" + host() + " port=" + std::to_string(port_) + " user=vtx dbname=postgres sslmode=disable";
  while (process_->is_running()) {
    if (PQping(where.c_str()) == PQPING_OK) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  process_.reset();
  return false;
}

}  // namespace vtx::test
