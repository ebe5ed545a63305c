/* SPDX-License-Identifier: MPL-2.0 */
//
// The ctest fixture `postgres`: one Postgres and one PgBouncer for all test programs of a run.
//
//   vtx_postgres_fixture start DIR     starts them, in the background, and leaves word in DIR/server.env; replaces older ones
//   vtx_postgres_fixture attend DIR    likewise, until the process that called it has ended, too: a run that is broken off
//   vtx_postgres_fixture stop DIR      stops them
//
// The background process holds the lock of DIR/lock as long as it lives, and its number stands in there.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

#include "support/pgbouncer.hpp"
#include "support/postgres_server.hpp"

namespace vtx::test {
namespace {

namespace fs = std::filesystem;

/// Holds the lock when nobody else does.
bool lock(int file) { return ::flock(file, LOCK_EX | LOCK_NB) == 0; }

int open_lock(const fs::path& directory) {
  fs::create_directories(directory);
  const int file = ::open((directory / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) throw std::runtime_error("cannot open " + (directory / "lock").string());
  return file;
}

/// Ends what runs for the directory. The lock is the caller's then.
void stop_other(const fs::path& directory, int file) {
  for (int tries = 0; !lock(file); ++tries) {
    if (tries > 600) throw std::runtime_error("the servers of " + directory.string() + " do not end");
    pid_t pid = 0;
    std::ifstream(directory / "lock") >> pid;
    if (pid > 0) ::kill(pid, SIGTERM);
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
  fs::remove(directory / "server.env");
  if (::ftruncate(file, 0) != 0) throw std::runtime_error("cannot write " + (directory / "lock").string());
}

/// Everything in one write, so that nobody reads a half.
void leave_word(const fs::path& directory, const PostgresServer& server, const PgBouncer& bouncer) {
  const fs::path half = directory / "server.env.new";
  std::ofstream(half) << "socket_directory=" << server.socket_directory() << "\nport=" << server.port()
                      << "\nbouncer_port=" << bouncer.port() << "\n";
  fs::rename(half, directory / "server.env");
}

/// Until somebody says so or, where there is one, the attended process ends.
void wait_for_end(int attended) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pollfd waits[] = {{::signalfd(-1, &signals, SFD_CLOEXEC), POLLIN, 0}, {attended, POLLIN, 0}};
  while (::poll(waits, 2, -1) < 0) {
  }
}

/// The background process. `ready` is told how it went, as what is to be shown to people: nothing when all is well.
void serve(const fs::path& directory, int attended, int ready) {
  std::string trouble;
  try {
    const PostgresServer server;
    server.sql("postgres", "CREATE ROLE vtx LOGIN");
    const PgBouncer bouncer(server);
    leave_word(directory, server, bouncer);
    ::close(ready);
    wait_for_end(attended);
    fs::remove(directory / "server.env");
    return;
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  if (::write(ready, trouble.data(), trouble.size()) < 0) return;
}

/// In a session of its own and with no file of the caller's, who would wait for them.
void detach() {
  ::setsid();
  const int none = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(none, stream);
}

int start(const fs::path& directory, pid_t attended) {
  const int file = open_lock(directory);
  stop_other(directory, file);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return 1;
  // Blocked from the beginning, for whoever wants to stop it early.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  const pid_t child = ::fork();
  if (child < 0) return 1;
  if (child == 0) {
    detach();
    ::close(ends[0]);
    serve(directory, attended > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, attended, 0)) : -1, ends[1]);
    std::_Exit(0);
  }
  ::close(ends[1]);
  const std::string number = std::to_string(child);
  if (::pwrite(file, number.data(), number.size(), 0) < 0) return 1;
  std::string trouble;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    trouble.append(buffer, static_cast<std::size_t>(got));
  if (!trouble.empty()) std::cerr << trouble << "\n";
  return trouble.empty() && fs::exists(directory / "server.env") ? 0 : 1;
}

int stop(const fs::path& directory) {
  stop_other(directory, open_lock(directory));
  return 0;
}

int run(int argc, char** argv) {
  const std::string_view verb = argc == 3 ? argv[1] : "";
  if (verb == "start") return start(argv[2], 0);
  if (verb == "attend") return start(argv[2], ::getppid());
  if (verb == "stop") return stop(argv[2]);
  std::cerr << "usage: vtx_postgres_fixture start|attend|stop DIR\n";
  return 2;
}

}  // namespace
}  // namespace vtx::test

int main(int argc, char** argv) {
  try {
    return vtx::test::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
