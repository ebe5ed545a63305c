/* SPDX-License-Identifier: MPL-2.0 */
//
// Many processes on one queue: none is in another's way, nothing is lost or doubled.
#include "fleet.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "support/postgres_database.hpp"
#include "traffic.hpp"
#include "vtx/drivers/postgres.h"

namespace vtx::test {
namespace {

constexpr std::string_view kBody =
    " .........|.........|.........|.........|.........|.........|.........|.........|.........";

volatile sig_atomic_t told_to_end = 0;

/// Says that it is ready, and waits until all may begin.
void wait_for_start() {
  char byte = 'r';
  if (::write(STDOUT_FILENO, &byte, 1) != 1 || ::read(STDIN_FILENO, &byte, 1) != 0) std::_Exit(2);
}

int produce(const std::string& endpoint, const std::string& name, int count) {
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH);
  push.connect(endpoint);
  wait_for_start();
  for (int i = 1; i <= count; ++i) push.send(name + " " + std::to_string(i) + std::string(kBody));
  push.flush();
  return testing::Test::HasFailure() ? 1 : 0;
}

int consume(const std::string& endpoint, const std::string& file) {
  struct sigaction action {};
  action.sa_handler = [](int) { told_to_end = 1; };
  sigaction(SIGTERM, &action, nullptr);
  World world("postgres", vtx_postgres_driver);
  Socket pull(world, ZMQ_PULL);
  pull.connect(endpoint + "&properties=on");
  std::vector<Frames> got;
  wait_for_start();
  pull.set(ZMQ_RCVTIMEO, 50);
  while (told_to_end == 0) {
    Frames frames;
    for (bool more = true; more;) {
      Message frame;
      if (zmq_msg_recv(frame.get(), pull.get(), 0) < 0) break;
      frames.push_back(frame.text());
      more = frame.more();
    }
    if (frames.size() == 2) got.push_back(std::move(frames));
  }
  std::ofstream out(file);
  for (const auto& frames : got) {
    const auto at = frames[1].find("Sequence: ");
    out << frames[0].substr(0, frames[0].find(" .")) << " " << std::atol(frames[1].c_str() + at + 10) << "\n";
  }
  return out.good() ? 0 : 1;
}

/// One of the processes: this program again.
class Process {
 public:
  explicit Process(const std::vector<std::string>& role) {
    int down[2], up[2];
    if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) std::abort();
    std::vector<char*> line{const_cast<char*>("vtx_postgres_failure_tests"), const_cast<char*>("--role")};
    for (const auto& word : role) line.push_back(const_cast<char*>(word.c_str()));
    line.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(down[0], STDIN_FILENO);
      ::dup2(up[1], STDOUT_FILENO);
      ::execv("/proc/self/exe", line.data());
      ::_exit(127);
    }
    ::close(down[0]);
    ::close(up[1]);
    in_ = down[1];
    out_ = up[0];
  }
  ~Process() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      (void)wait();
    }
    begin();
    ::close(out_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  bool ready() const {
    char byte = 0;
    return ::read(out_, &byte, 1) == 1;
  }
  void begin() {
    if (in_ >= 0) ::close(in_);
    in_ = -1;
  }
  void end() const { ::kill(pid_, SIGTERM); }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;
};

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "vtx-fleet-XXXXXX").string();
    if (!::mkdtemp(name.data())) std::abort();
    path_ = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string file(int n) const { return path_ / std::to_string(n); }

 private:
  std::filesystem::path path_;
};

/// So many of each, on a fresh queue. @return messages a second, from the start until all are settled
double run_fleet(int many, int messages) {
  const PostgresDatabase database;
  const Directory directory;
  const std::string endpoint = database.address() + "?queue=jobs";
  std::map<std::string, std::uint64_t> sent;
  std::vector<std::unique_ptr<Process>> producers, consumers;
  for (int i = 0; i < many; ++i) {
    const std::string name = "p" + std::to_string(i);
    sent[name] = static_cast<std::uint64_t>(messages / many);
    consumers.push_back(std::make_unique<Process>(std::vector<std::string>{"consume", endpoint, directory.file(i)}));
    producers.push_back(std::make_unique<Process>(
        std::vector<std::string>{"produce", endpoint, name, std::to_string(messages / many)}));
  }
  for (int i = 0; i < many; ++i) EXPECT_TRUE(producers[i]->ready() && consumers[i]->ready());
  World world("postgres", vtx_postgres_driver);
  EXPECT_TRUE(show(world, endpoint).exists);
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& one : consumers) one->begin();
  for (const auto& one : producers) one->begin();
  for (const auto& one : producers) EXPECT_EQ(one->wait(), 0);
  const auto flushed = std::chrono::steady_clock::now();
  EXPECT_TRUE(wait_until([&] { return is_settled(world, endpoint); }, 2 * kPatience));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const std::chrono::duration<double> sending = flushed - begin;
  std::vector<Delivery> deliveries;
  for (int i = 0; i < many; ++i) {
    consumers[i]->end();
    EXPECT_EQ(consumers[i]->wait(), 0);
    std::ifstream in(directory.file(i));
    std::string name, number;
    std::map<std::string, long> newest;
    for (std::uint64_t sequence = 0; in >> name >> number >> sequence;) {
      deliveries.push_back({name + " " + number, sequence, 1});
      EXPECT_GT(std::stol(number), std::exchange(newest[name], std::stol(number))) << "of " << name;
    }
  }
  std::sort(deliveries.begin(), deliveries.end(),
            [](const Delivery& a, const Delivery& b) { return a.sequence < b.sequence; });
  EXPECT_TRUE(check_traffic(sent, deliveries, Again::never));
  std::cout << many << " and " << many << ": " << messages << " messages, sent in " << sending.count()
            << " s, through in " << took.count() << " s, " << messages / took.count() << " a second\n";
  return messages / took.count();
}

TEST(Fleet, OfEightAndEightLosesAndDoublesNothing) {
  const bool by_hand = std::getenv("VTX_TEST_SECONDS") != nullptr;
  const int messages = by_hand ? 1000'000 : 16'000;
  const double pair = run_fleet(1, messages);
  const double fleet = run_fleet(8, messages);
  std::cout << "ratio " << fleet / pair << "\n";
  if (by_hand) {
    EXPECT_GE(fleet / pair, 0.8);
  }
}

}  // namespace

std::optional<int> play_role(const std::vector<std::string>& words) {
  if (words.size() == 6 && words[1] == "--role" && words[2] == "produce")
    return produce(words[3], words[4], std::stoi(words[5]));
  if (words.size() == 5 && words[1] == "--role" && words[2] == "consume") return consume(words[3], words[4]);
  return std::nullopt;
}

}  // namespace vtx::test
