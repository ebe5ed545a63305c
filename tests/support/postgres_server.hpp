/* SPDX-License-Identifier: MPL-2.0 */
//
// A Postgres 15 of a test's own: for what a test may not do to the one that all share, such as restart or kill it.
// Everybody may come in without a password; the superuser is `postgres`.
#pragma once

#include <memory>
#include <optional>

#include "support/server_process.hpp"
#include "support/sql_session.hpp"

namespace vtx::test {

/// The path of a program of Postgres 15. Throws when it is not installed.
std::string postgres_program(const std::string& name);

/// One thread at a time. Failures are std::runtime_error with the end of the server's log.
class PostgresServer {
 public:
  enum class Stop { fast, immediate };

  /// A new one, running. @param settings  further lines of postgresql.conf, "name=value", which win
  explicit PostgresServer(std::vector<std::string> settings = {});
  virtual ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  static std::string host() { return "127.0.0.1"; }
  std::uint16_t port() const { return port_; }
  /// The directory of its Unix socket.
  std::string socket_directory() const { return directory_.path().string(); }
  /// postgres://postgres@127.0.0.1:PORT/database, for the superuser or another.
  std::string address(const std::string& database = "postgres", const std::string& user = "postgres") const;

  /// On the same port, with what was there. Returns when it takes connections.
  void start();
  /// fast: tells its sessions and makes a checkpoint. immediate: neither; the next start recovers.
  void stop(Stop how = Stop::fast);
  void restart(Stop how = Stop::fast) { stop(how), start(); }
  /// Kills the first of its processes with SIGKILL, and waits until the others have gone.
  void kill_postmaster();

  /// As the superuser, by the Unix socket, in a session of its own.
  SqlRows sql(const std::string& database, const std::string& text) const;

 protected:
  /// For a server whose data come from elsewhere: fill data(), then start().
  struct Empty {};
  PostgresServer(Empty, std::vector<std::string> settings) : settings_(std::move(settings)) {}
  std::filesystem::path data() const { return directory_.path() / "data"; }
  std::filesystem::path log() const { return directory_.path() / "log"; }

 private:
  /// False when another one has the port.
  bool try_start();
  void end(int signal);

  const ServerDirectory directory_;
  const std::vector<std::string> settings_;
  std::uint16_t port_ = 0;
  std::optional<ServerProcess> process_;
};

}  // namespace vtx::test
