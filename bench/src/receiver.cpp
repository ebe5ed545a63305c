/* SPDX-License-Identifier: MPL-2.0 */
#include "receiver.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "node.hpp"

extern char** environ;

namespace vtx::bench {
namespace {

bool say(std::int64_t number) { return write(STDOUT_FILENO, &number, sizeof number) == sizeof number; }

}  // namespace

std::int64_t nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

Receiver::Receiver(const std::string& option, const std::string& endpoint, std::uint64_t messages) {
  int ends[2];
  if (pipe(ends) != 0) throw Failure("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  std::string program = "/proc/self/exe", name = option, uri = endpoint,
              count = "--messages=" + std::to_string(messages);
  char* const arguments[] = {program.data(), name.data(), uri.data(), count.data(), nullptr};
  const int failed = posix_spawn(&child_, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  answers_ = ends[0];
  if (failed != 0) throw Failure(std::string("cannot start the receiver: ") + std::strerror(failed));
}

Receiver::~Receiver() {
  close(answers_);
  if (child_ == 0) return;
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

void Receiver::wait_for_end() {
  waitpid(child_, nullptr, 0);
  child_ = 0;
}

std::int64_t Receiver::answer() const {
  std::int64_t number = 0;
  if (read(answers_, &number, sizeof number) != sizeof number) throw Failure("the receiver ended early");
  return number;
}

int wakeup_receiver(const std::string& endpoint) {
  Node node(1000);
  void* pull = node.open(ZMQ_PULL, endpoint);
  zmq_msg_t message;
  zmq_msg_init(&message);
  while (zmq_msg_recv(&message, pull, 0) >= 0) {
    const std::int64_t now = nanoseconds();
    std::int64_t stamp = 0;
    std::memcpy(&stamp, zmq_msg_data(&message), sizeof stamp);
    if (stamp == 0 || !say(now - stamp)) break;
  }
  zmq_msg_close(&message);
  return 0;
}

int stream_receiver(const std::string& endpoint, const Options& options) {
  Node node(options.hwm);
  void* pull = node.open(ZMQ_PULL, endpoint);
  receive_numbered(pull, 1);
  say(nanoseconds());
  receive_numbered(pull, options.messages - 1, 1);
  say(nanoseconds());
  say(static_cast<std::int64_t>(node.stats(pull).claims));
  return 0;
}

}  // namespace vtx::bench
