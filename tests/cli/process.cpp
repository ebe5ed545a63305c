/* SPDX-License-Identifier: MPL-2.0 */
//
// See process.hpp.
#include "process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace vtx::test {
namespace {

constexpr int kDeadlineMs = 60'000;

/// A pipe whose ends no child inherits but by being made its stream.
void make_pipe(int (&ends)[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::ostringstream content;
  content << file.rdbuf();
  return std::move(content).str();
}

void write_file(const std::filesystem::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  EXPECT_TRUE(file.flush()) << path;
}

Process::Process(const std::filesystem::path& scratch, const std::vector<std::string>& arguments,
                 const std::filesystem::path& input, Out out, In in, const std::string& program) {
  static int count = 0;
  ++count;
  out_path_ = scratch / ("out-" + std::to_string(count));
  err_path_ = scratch / ("err-" + std::to_string(count));
  int out_ends[2] = {-1, -1};
  int in_ends[2] = {-1, -1};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (in == In::pipe) {
    make_pipe(in_ends);
    posix_spawn_file_actions_adddup2(&actions, in_ends[0], STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
  }
  if (out == Out::pipe) {
    make_pipe(out_ends);
    posix_spawn_file_actions_adddup2(&actions, out_ends[1], STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);

  std::vector<std::string> copies = arguments;
  copies.insert(copies.begin(), program);
  std::vector<char*> argv;
  for (auto& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int error = posix_spawnp(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (in == In::pipe) close(in_ends[0]);
  if (out == Out::pipe) close(out_ends[1]);
  out_ = out_ends[0];
  in_ = in_ends[1];
  if (error != 0) throw std::runtime_error("cannot start " + program + ": scripts/bootstrap installs what tests need");
}

Process::~Process() {
  if (!ended_) {
    kill(pid_, SIGKILL);
    reap(true);
  }
  close_out();
  close_in();
}

void Process::signal(int number) const { kill(pid_, number); }

void Process::reap(bool block) {
  if (!ended_) ended_ = waitpid(pid_, &status_, block ? 0 : WNOHANG) == pid_;
}

bool Process::is_running() {
  reap(false);
  return !ended_;
}

Outcome Process::wait() {
  if (is_running()) {
    const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    pollfd item{fd, POLLIN, 0};
    if (poll(&item, 1, kDeadlineMs) == 0) {
      ADD_FAILURE() << "vtx has not ended within a minute; it said: " << read_file(err_path_);
      kill(pid_, SIGKILL);
    }
    close(fd);
    reap(true);
  }
  Outcome outcome;
  if (WIFEXITED(status_)) outcome.code = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) outcome.signal = WTERMSIG(status_);
  if (std::filesystem::exists(out_path_)) outcome.out = read_file(out_path_);
  outcome.err = read_file(err_path_);
  return outcome;
}

std::string Process::read_out(std::size_t size) {
  std::string data;
  while (data.size() < size) {
    char part[4096];
    pollfd item{out_, POLLIN, 0};
    if (poll(&item, 1, kDeadlineMs) == 0) {
      ADD_FAILURE() << "vtx has written nothing for a minute; it said: " << read_file(err_path_);
      break;
    }
    const ssize_t got = read(out_, part, std::min(sizeof part, size - data.size()));
    if (got <= 0) break;
    data.append(part, static_cast<std::size_t>(got));
  }
  return data;
}

void Process::close_out() {
  if (out_ >= 0) close(out_);
  out_ = -1;
}

void Process::write_in(const std::string& data) const {
  EXPECT_EQ(write(in_, data.data(), data.size()), static_cast<ssize_t>(data.size()));
}

void Process::close_in() {
  if (in_ >= 0) close(in_);
  in_ = -1;
}

}  // namespace vtx::test
