/* SPDX-License-Identifier: MPL-2.0 */
//
// Servers of other people below a test: a directory for one, and its process. Neither outlives the test program, however
// that ends. They refuse to run as root, so below root they are the user `postgres`. Apart because Postgres and PgBouncer share it.
// Failures are std::runtime_error.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vtx::test {

using Command = std::vector<std::string>;

/// The program's path. Throws with the package that brings it when it is nowhere in `directories`.
std::string find_program(const std::string& name, const std::vector<std::string>& directories,
                         const std::string& package);
/// The command as the user who may run servers: the same, but for root.
Command unprivileged(Command command);
/// Runs it to its end, its words appended to the file `log`. Throws with the end of them unless its exit code is 0.
void run_command(const Command& command, const std::filesystem::path& log);
/// What a file says in its last lines, for errors.
std::string end_of(const std::filesystem::path& file);
/// A port of 127.0.0.1 that nobody has now, and below those that the system gives to connecting programs.
std::uint16_t free_port();

/// A temporary directory that a server may own, in memory where there is room. One thread at a time.
///
/// A guard process waits for the end of the test program, kills what the directory's server still is, and removes it.
class ServerDirectory {
 public:
  ServerDirectory();
  ~ServerDirectory();
  ServerDirectory(const ServerDirectory&) = delete;
  ServerDirectory& operator=(const ServerDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// The server that the guard has to end; 0 for none.
  void guard(pid_t server) const;

 private:
  std::filesystem::path path_;
  pid_t guard_ = -1;
  int leash_ = -1;
};

/// A running server. Ended at once when it goes out of scope. One thread at a time.
class ServerProcess {
 public:
  /// @param log  a file for what it says
  ServerProcess(const Command& command, const std::filesystem::path& log, const ServerDirectory& directory);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool is_running();
  void signal(int number) const;
  /// Waits until it and all its children are gone.
  void wait_gone();

 private:
  const ServerDirectory& directory_;
  pid_t pid_ = -1;
  int alive_ = -1;  ///< reads the end when nobody has the other end any more: the server and its children have it
  bool ended_ = false;
};

}  // namespace vtx::test
