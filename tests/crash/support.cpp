/* SPDX-License-Identifier: MPL-2.0 */
#include "support.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <random>
#include <thread>

#include "vtx/drivers/sqlite.h"
#ifdef VTX_WITH_ROCKSDB
#include "vtx/drivers/rocksdb.h"
#endif

namespace vtx::crash {

volatile sig_atomic_t stopped = 0;
int failures = 0;

namespace {

sigset_t only_term() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  return set;
}

void register_drivers(vtx_t* vtx) {
  if (vtx_register(vtx, "sqlite", vtx_sqlite_driver) != 0) die("cannot begin");
#ifdef VTX_WITH_ROCKSDB
  if (vtx_register(vtx, "rocksdb", vtx_rocksdb_driver) != 0) die("cannot begin");
#endif
}

}  // namespace

void stop_on_term() {
  struct sigaction action {};
  action.sa_handler = [](int) { stopped = 1; };
  sigaction(SIGTERM, &action, nullptr);
  const sigset_t term = only_term();
  sigprocmask(SIG_UNBLOCK, &term, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "campaign: {}: {}\n", what, vtx_last_error());
  std::_Exit(1);
}

Station::Station(int type, const std::string& endpoint, bool bind, const std::string& routing_id)
    : context(zmq_ctx_new()), vtx(vtx_new(context)) {
  if (vtx == nullptr) die("cannot begin");
  register_drivers(vtx);
  socket = vtx_socket(vtx, type);
  const int patience = 100;
  zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
  if (!routing_id.empty()) zmq_setsockopt(socket, ZMQ_ROUTING_ID, routing_id.data(), routing_id.size());
  if ((bind ? vtx_bind(vtx, socket, endpoint.c_str()) : vtx_connect(vtx, socket, endpoint.c_str())) != 0)
    die("cannot link to " + endpoint);
}

Station::~Station() {
  vtx_close(vtx, socket);
  vtx_destroy(&vtx);
  zmq_ctx_term(context);
}

pid_t start(const std::vector<std::string>& role) {
  // A SIGTERM that comes before stop_on_term() waits for it.
  const sigset_t term = only_term();
  sigset_t before;
  sigprocmask(SIG_BLOCK, &term, &before);
  const pid_t child = fork();
  if (child != 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    return child;
  }
  std::vector<char*> arguments{const_cast<char*>("campaign")};
  for (const std::string& word : role) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execv("/proc/self/exe", arguments.data());
  std::_Exit(127);
}

/// The exit code, or -signal.
int end(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

Log::Log(const std::string& file)
    : file_(file), fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
  if (fd_ < 0) die("cannot open " + file);
}

Log::~Log() { ::close(fd_); }

void Log::line(const std::string& text) {
  if (::write(fd_, (text + '\n').c_str(), text.size() + 1) < 0) die("cannot write " + file_);
}

void check(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  fmt::print(stderr, "FAILED: {}\n", what);
}

unsigned long seed() {
  const char* given = std::getenv("CAMPAIGN_SEED");
  const auto value = given != nullptr ? std::strtoul(given, nullptr, 10) : std::random_device{}();
  fmt::print("seed {}\n", value);
  return value;
}

Directory::Directory() {
  std::string name = (std::filesystem::temp_directory_path() / "vtx-campaign-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) die("mkdtemp");
  path_ = name;
}

Directory::~Directory() {
  std::error_code ignored;
  if (failures == 0) std::filesystem::remove_all(path_, ignored);
  if (failures != 0) fmt::print(stderr, "kept: {}\n", path_.string());
}

std::string ask_database(const std::string& file, const char* sql) {
  sqlite3* database = nullptr;
  std::string answer = "cannot open";
  if (sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK) {
    answer.clear();
    sqlite3_exec(
        database, sql,
        [](void* to, int, char** values, char**) {
          *static_cast<std::string*>(to) += values[0] != nullptr ? values[0] : "";
          return 0;
        },
        &answer, nullptr);
  }
  sqlite3_close(database);
  return answer;
}

std::string admin(vtx_t* vtx, const std::string& endpoint, const char* command) {
  char* json = nullptr;
  if (vtx_admin(vtx, endpoint.c_str(), command, 20'000, &json) != 0) return vtx_last_error();
  std::string answer(json);
  vtx_free(json);
  return answer;
}

Operator::Operator(std::string endpoint)
    : endpoint_(std::move(endpoint)), context_(zmq_ctx_new()), vtx_(vtx_new(context_)) {
  register_drivers(vtx_);
}

Operator::~Operator() {
  vtx_destroy(&vtx_);
  zmq_ctx_term(context_);
}

bool Operator::drain() {
  const auto deadline = Clock::now() + kDrainWithin;
  while (Clock::now() < deadline) {
    if (show().find("\"depth\":0,") != std::string::npos) return true;
    std::this_thread::sleep_for(milliseconds(50));
  }
  return false;
}

}  // namespace vtx::crash
