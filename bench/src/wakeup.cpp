/* SPDX-License-Identifier: MPL-2.0 */
//
// How soon a message sent by one process is in the hands of another that waits for it. Both read the same CLOCK_MONOTONIC. With
// durability=async, because what is asked is the wake-up and not the disk; with sync for scale.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "cases.hpp"
#include "node.hpp"

extern char** environ;

namespace vtx::bench {
namespace {

constexpr auto kPause = std::chrono::milliseconds(3);  // for the receiver to have settled the message and to wait again
constexpr std::uint64_t kWarmUp = 10;

std::int64_t nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

/// This program again, as the receiver.
class Receiver {
 public:
  explicit Receiver(const std::string& endpoint) {
    int ends[2];
    if (pipe(ends) != 0) throw Failure("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::string program = "/proc/self/exe", option = "--wakeup-receiver", uri = endpoint;
    char* const arguments[] = {program.data(), option.data(), uri.data(), nullptr};
    const int failed = posix_spawn(&child_, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    answers_ = ends[0];
    if (failed != 0) throw Failure(std::string("cannot start the receiver: ") + std::strerror(failed));
  }
  ~Receiver() {
    close(answers_);
    waitpid(child_, nullptr, 0);
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  std::int64_t answer() const {
    std::int64_t taken = 0;
    if (read(answers_, &taken, sizeof taken) != sizeof taken) throw Failure("the receiver ended early");
    return taken;
  }

 private:
  pid_t child_ = 0;
  int answers_ = -1;
};

void send_stamp(void* socket, std::string& body, std::int64_t stamp) {
  std::memcpy(body.data(), &stamp, sizeof stamp);
  zmq_send(socket, body.data(), body.size(), 0);
}

Series measure(const Options& options, const std::string& name, const std::string& durability) {
  Arena arena(options.directory);
  const std::string endpoint = endpoint_of(arena.fresh(), "consumed");
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, endpoint + "&durability=" + durability);
  const Receiver receiver(endpoint);
  std::string body(options.size, 'x');
  Series series{name, {}, {}};
  for (std::uint64_t i = 0; i < kWarmUp + options.singles; ++i) {
    send_stamp(push, body, nanoseconds());
    const auto taken = static_cast<double>(receiver.answer()) / 1e3;
    if (i >= kWarmUp) series.values.push_back(taken);
    std::this_thread::sleep_for(kPause);
  }
  send_stamp(push, body, 0);
  node.flush(push);
  return series;
}

}  // namespace

Case wakeup(const Options& options) {
  return {"wakeup",
          "from a send in one process to the receipt in another that waits (asked: median under 1000 us)",
          "us",
          {measure(options, "durability=async", "async"), measure(options, "durability=sync", "sync")}};
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
    if (stamp == 0) break;
    const std::int64_t taken = now - stamp;
    if (write(STDOUT_FILENO, &taken, sizeof taken) != sizeof taken) break;
  }
  zmq_msg_close(&message);
  return 0;
}

}  // namespace vtx::bench
