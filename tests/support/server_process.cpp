/* SPDX-License-Identifier: MPL-2.0 */
//
// Programs are spawned, never forked into our own code: tests have threads, and sanitizers do not like it.
#include "support/server_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

extern "C" char** environ;

namespace vtx::test {
namespace {

constexpr const char* kServerUser = "postgres";
/// Databases of a whole run, and their log.
constexpr std::uint64_t kRoomBytes = std::uint64_t{4} << 30;

[[noreturn]] void fail(const std::string& what, int error = 0) {
  throw std::runtime_error(error ? what + ": " + std::strerror(error) : what);
}

/// Which file takes which place in a spawned program.
class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void open(int to, const char* path, int flags) { posix_spawn_file_actions_addopen(&actions_, to, path, flags, 0666); }
  void put(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

/// In a session of its own, so that a Ctrl-C is for the test alone, and with no signal blocked.
pid_t spawn(const Command& command, const FileActions& files) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, arguments[0], files.get(), &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) fail("cannot run " + command.front(), error);
  return pid;
}

/// The exit code or the signal's negative.
int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void write_to_log(FileActions& files, const std::filesystem::path& log) {
  files.open(STDIN_FILENO, "/dev/null", O_RDONLY);
  files.open(STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND);
  files.put(STDOUT_FILENO, STDERR_FILENO);
}

std::filesystem::path roomy_place() {
  struct statvfs room {};
  const char* memory = "/dev/shm";
  const bool fits = ::access(memory, W_OK) == 0 && ::statvfs(memory, &room) == 0 &&
                    std::uint64_t{room.f_bavail} * room.f_frsize >= kRoomBytes;
  return fits ? memory : std::filesystem::temp_directory_path();
}

/// Learns the server's number line by line, and acts when the test is gone: its standard input ends.
constexpr const char* kGuard = R"(
pid=0
while read -r line; do pid=$line; done
if [ "$pid" != 0 ]; then
  kill -QUIT "$pid" 2>/dev/null
  for i in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null
fi
rm -rf "$1")";

}  // namespace

std::string find_program(const std::string& name, const std::vector<std::string>& directories,
                         const std::string& package) {
  std::string looked;
  for (const std::string& directory : directories) {
    const std::string path = directory + "/" + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
    looked += " " + directory;
  }
  fail("there is no " + name + " in" + looked + ": apt install " + package + " (or run scripts/bootstrap)");
}

Command unprivileged(Command command) {
  if (::geteuid() != 0) return command;
  Command as_user = {"setpriv", "--reuid", kServerUser, "--regid", kServerUser, "--init-groups", "--"};
  as_user.insert(as_user.end(), command.begin(), command.end());
  return as_user;
}

void run_command(const Command& command, const std::filesystem::path& log) {
  FileActions files;
  write_to_log(files, log);
  if (const int code = reap(spawn(command, files)); code != 0)
    fail(command.front() + " ended with " + std::to_string(code) + ":\n" + end_of(log));
}

std::string end_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  constexpr std::size_t kShown = 2000;
  return all.size() > kShown ? "..." + all.substr(all.size() - kShown) : all;
}

std::uint16_t free_port() {
  std::random_device dice;
  std::uniform_int_distribution<int> ports(20'000, 32'000);
  while (true) {
    const auto port = static_cast<std::uint16_t>(ports(dice));
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) fail("no socket", errno);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const bool free = ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    if (free) return port;
  }
}

ServerDirectory::ServerDirectory() {
  std::string name = (roomy_place() / "vtx-server-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) fail("cannot make " + name, errno);
  path_ = name;
  if (::geteuid() == 0) {
    const passwd* user = ::getpwnam(kServerUser);
    if (user == nullptr) fail(std::string("there is no user ") + kServerUser);
    if (::chown(name.c_str(), user->pw_uid, user->pw_gid) != 0) fail("cannot give away " + name, errno);
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("no pipe", errno);
  FileActions files;
  files.put(ends[0], STDIN_FILENO);
  files.open(STDOUT_FILENO, "/dev/null", O_WRONLY);
  files.put(STDOUT_FILENO, STDERR_FILENO);
  guard_ = spawn({"sh", "-c", kGuard, "guard", name}, files);
  ::close(ends[0]);
  leash_ = ends[1];
}

ServerDirectory::~ServerDirectory() {
  ::close(leash_);
  reap(guard_);
}

void ServerDirectory::guard(pid_t server) const {
  const std::string line = std::to_string(server) + "\n";
  if (::write(leash_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) fail("the guard is gone", errno);
}

ServerProcess::ServerProcess(const Command& command, const std::filesystem::path& log, const ServerDirectory& directory)
    : directory_(directory) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("no pipe", errno);
  FileActions files;
  write_to_log(files, log);
  files.put(ends[1], 3);
  pid_ = spawn(unprivileged(command), files);
  ::close(ends[1]);
  alive_ = ends[0];
  directory_.guard(pid_);
}

ServerProcess::~ServerProcess() {
  if (!ended_) {
    ::kill(pid_, SIGQUIT);
    wait_gone();
  }
  ::close(alive_);
}

bool ServerProcess::is_running() {
  if (!ended_ && ::waitpid(pid_, nullptr, WNOHANG) == pid_) {
    ended_ = true;
    directory_.guard(0);
  }
  return !ended_;
}

void ServerProcess::signal(int number) const {
  if (!ended_) ::kill(pid_, number);
}

void ServerProcess::wait_gone() {
  if (!ended_) reap(pid_);
  ended_ = true;
  directory_.guard(0);
  char never = 0;
  while (::read(alive_, &never, 1) < 0 && errno == EINTR) {
  }
}

}  // namespace vtx::test
