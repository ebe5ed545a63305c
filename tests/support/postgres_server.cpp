/* SPDX-License-Identifier: MPL-2.0 */
#include "support/postgres_server.hpp"

#include <libpq-fe.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <thread>

namespace vtx::test {
namespace {

constexpr std::chrono::seconds kPatience{60};

/// The promise of durability is tested, so what it stands on stays switched on. Shared memory in files goes with the directory.
constexpr const char* kSettings[] = {"fsync=on",
                                     "synchronous_commit=on",
                                     "wal_level=replica",
                                     "hot_standby=on",
                                     "max_connections=200",
                                     "timezone=UTC",
                                     "dynamic_shared_memory_type=mmap",
                                     "log_min_messages=warning",
                                     "listen_addresses=127.0.0.1"};

}  // namespace

std::string postgres_program(const std::string& name) {
  return find_program(name, {"/usr/lib/postgresql/15/bin"}, "postgresql-15");
}

PostgresServer::PostgresServer(std::vector<std::string> settings) : PostgresServer(Empty{}, std::move(settings)) {
  run_command(unprivileged({postgres_program("initdb"), "--pgdata=" + data().string(), "--username=postgres",
                            "--no-sync", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-instructions"}),
              log());
  start();
}

PostgresServer::~PostgresServer() { end(SIGQUIT); }

std::string PostgresServer::address(const std::string& database, const std::string& user) const {
  return "postgres://" + user + "@" + host() + ":" + std::to_string(port_) + "/" + database;
}

void PostgresServer::start() {
  const bool first = port_ == 0;
  for (int tries = 0; tries < 20; ++tries) {
    if (first) port_ = free_port();
    if (try_start()) return;
    // Its own port comes back to it: sooner or later whoever has it lets go.
    if (!first) std::this_thread::sleep_for(std::chrono::milliseconds{500});
  }
  throw std::runtime_error("Postgres found no port:\n" + end_of(log()));
}

bool PostgresServer::try_start() {
  std::error_code ignored;
  const auto said = std::filesystem::file_size(log(), ignored);
  Command command = {postgres_program("postgres"), "-D", data().string(),   "-p",
                     std::to_string(port_),        "-k", socket_directory()};
  for (const char* setting : kSettings) command.insert(command.end(), {"-c", setting});
  for (const std::string& setting : settings_) command.insert(command.end(), {"-c", setting});
  process_.emplace(command, log(), directory_);
  const std::string where =
      "host=" + socket_directory() + " port=" + std::to_string(port_) + " user=postgres dbname=postgres";
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (process_->is_running()) {
    if (PQping(where.c_str()) == PQPING_OK) return true;
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("Postgres does not start:\n" + end_of(log()));
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  end(SIGQUIT);
  std::ifstream in(log());
  in.seekg(static_cast<std::streamoff>(said));
  const std::string words{std::istreambuf_iterator<char>(in), {}};
  if (words.find("Address already in use") != std::string::npos) return false;
  throw std::runtime_error("Postgres does not start:\n" + words);
}

void PostgresServer::end(int signal) {
  if (!process_) return;
  process_->signal(signal);
  process_->wait_gone();
  process_.reset();
}

void PostgresServer::stop(Stop how) { end(how == Stop::fast ? SIGINT : SIGQUIT); }

void PostgresServer::kill_postmaster() { end(SIGKILL); }

SqlRows PostgresServer::sql(const std::string& database, const std::string& text) const {
  SqlSession session("host=" + socket_directory() + " port=" + std::to_string(port_) +
                     " user=postgres dbname=" + database);
  return session.exec(text);
}

}  // namespace vtx::test
