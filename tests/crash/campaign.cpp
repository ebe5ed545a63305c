/* SPDX-License-Identifier: MPL-2.0 */
//
// The crash campaign: processes of one group on one SQLite file, killed at random while others send. This program runs
// itself again for each producer and consumer; the parent kills, watches the write-ahead log, and checks at the end what
// the promises say: nothing lost, deliveries bounded by kills, nothing dead-lettered, the file sound.
//
//   campaign [SECONDS]             kill one of ten consumers every 200 ms for so long (default 6)
//   campaign sockets [COUNT]       so many sockets linked, sent one message each, and plainly closed (default 5000)
//
// A consumer appends what it processed to a log of its own before it lets the message go, with one write each, so that a
// kill leaves whole lines. The seed is printed, and can be set in CAMPAIGN_SEED.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "vtx/drivers/sqlite.h"
#include "vtx/vtx.h"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
namespace fs = std::filesystem;

constexpr int kProducers = 10;
constexpr int kConsumers = 10;
constexpr milliseconds kKillEvery{200};
constexpr milliseconds kSendEvery{5};  // ten producers: 2,000 messages a second
constexpr milliseconds kDrainWithin{60'000};
constexpr std::uintmax_t kMostWal = std::uintmax_t{64} << 20;

volatile sig_atomic_t stopped = 0;

void stop_on_term() {
  struct sigaction action {};
  action.sa_handler = [](int) { stopped = 1; };
  sigaction(SIGTERM, &action, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "campaign: {}: {}\n", what, vtx_last_error());
  std::_Exit(1);
}

/// A context, an instance with the driver, and one linked socket.
struct Station {
  explicit Station(int type, const std::string& endpoint) : context(zmq_ctx_new()), vtx(vtx_new(context)) {
    if (vtx == nullptr || vtx_register(vtx, "sqlite", vtx_sqlite_driver) != 0) die("cannot begin");
    socket = vtx_socket(vtx, type);
    const int patience = 100;
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    if (vtx_connect(vtx, socket, endpoint.c_str()) != 0) die("cannot connect to " + endpoint);
  }
  ~Station() {
    vtx_close(vtx, socket);
    vtx_destroy(&vtx);
    zmq_ctx_term(context);
  }
  Station(const Station&) = delete;
  Station& operator=(const Station&) = delete;

  void* context;
  vtx_t* vtx;
  void* socket;
};

// --- roles -----------------------------------------------------------------------------------------------------------

/// Sends `name:1`, `name:2`, … until SIGTERM, then says in `report` how many are durable.
int produce(const std::string& endpoint, const std::string& name, const std::string& report) {
  stop_on_term();
  Station station(ZMQ_PUSH, endpoint);
  int count = 0;
  for (auto due = Clock::now(); stopped == 0; due += kSendEvery) {
    std::this_thread::sleep_until(due);
    const std::string text = fmt::format("{}:{}", name, count + 1);
    if (zmq_send(station.socket, text.data(), text.size(), 0) < 0) continue;  // a signal
    ++count;
  }
  if (vtx_flush(station.vtx, station.socket, static_cast<int>(kDrainWithin.count())) != 0) die("cannot flush");
  std::ofstream(report) << count;
  return 0;
}

int consume(const std::string& endpoint, const std::string& log) {
  stop_on_term();
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (out < 0) die("cannot open " + log);
  Station station(ZMQ_PULL, endpoint + "&prefetch=100&lease=500ms");
  zmq_msg_t message;
  zmq_msg_init(&message);
  while (stopped == 0) {
    zmq_msg_t next;
    zmq_msg_init(&next);
    if (zmq_msg_recv(&next, station.socket, 0) < 0) continue;
    const std::string line(static_cast<const char*>(zmq_msg_data(&next)), zmq_msg_size(&next));
    if (::write(out, (line + '\n').c_str(), line.size() + 1) < 0) die("cannot write " + log);
    zmq_msg_close(&next);  // processed: only now it may be settled
  }
  ::close(out);
  return 0;
}

pid_t start(const std::vector<std::string>& role) {
  const pid_t child = fork();
  if (child != 0) return child;
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

// --- the parent ------------------------------------------------------------------------------------------------------

int failures = 0;

void check(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  fmt::print(stderr, "FAILED: {}\n", what);
}

class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "vtx-campaign-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) die("mkdtemp");
    path_ = name;
  }
  ~Directory() {
    std::error_code ignored;
    if (failures == 0) fs::remove_all(path_, ignored);
    if (failures != 0) fmt::print(stderr, "kept: {}\n", path_.string());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

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

std::uintmax_t size_of(const std::string& file) {
  std::error_code none;
  const auto size = fs::file_size(file, none);
  return none ? 0 : size;
}

/// How often a message was processed.
struct Deliveries {
  int by_all = 0;
  int by_killed = 0;  ///< incarnations that were killed later on
};

/// From the logs, one file an incarnation.
std::map<std::string, Deliveries> read_logs(const Directory& directory, int incarnations, const std::set<int>& killed) {
  std::map<std::string, Deliveries> seen;
  for (int i = 0; i < incarnations; ++i) {
    std::ifstream log(directory / fmt::format("log-{}", i));
    for (std::string line; std::getline(log, line);) {
      ++seen[line].by_all;
      if (killed.contains(i)) ++seen[line].by_killed;
    }
  }
  return seen;
}

std::string admin(vtx_t* vtx, const std::string& endpoint, const char* command) {
  char* json = nullptr;
  if (vtx_admin(vtx, endpoint.c_str(), command, 20'000, &json) != 0) return vtx_last_error();
  std::string answer(json);
  vtx_free(json);
  return answer;
}

struct Crowd {
  struct Consumer {
    pid_t process = 0;
    int incarnation = 0;
  };
  Crowd(const Directory& in, std::string to) : directory(in), endpoint(std::move(to)) {}

  void begin() {
    for (int i = 0; i < kConsumers; ++i) consumers.push_back(consumer());
    for (int i = 0; i < kProducers; ++i)
      producers.push_back(start({"produce", endpoint, std::to_string(i), directory / fmt::format("sent-{}", i)}));
  }
  Consumer consumer() {
    const int incarnation = incarnations++;
    return {start({"consume", endpoint, directory / fmt::format("log-{}", incarnation)}), incarnation};
  }
  void kill_one(std::size_t which) {
    kill(consumers[which].process, SIGKILL);
    check(end(consumers[which].process) == -SIGKILL, "a consumer ended before it was killed");
    killed.insert(consumers[which].incarnation);
    consumers[which] = consumer();
  }
  std::map<std::string, int> stop_producers() {
    for (const pid_t child : producers) kill(child, SIGTERM);
    for (const pid_t child : producers) check(end(child) == 0, "a producer failed");
    std::map<std::string, int> sent;
    for (int i = 0; i < kProducers; ++i)
      std::ifstream(directory / fmt::format("sent-{}", i)) >> sent[std::to_string(i)];
    return sent;
  }
  void stop_consumers() {
    for (const Consumer& one : consumers) kill(one.process, SIGTERM);
    for (const Consumer& one : consumers) check(end(one.process) == 0, "a consumer failed");
  }

  const Directory& directory;
  const std::string endpoint;
  std::vector<Consumer> consumers;
  std::vector<pid_t> producers;
  int incarnations = 0;
  std::set<int> killed;
};

/// Waits until the group has settled all.
bool drain(vtx_t* vtx, const std::string& endpoint) {
  const auto deadline = Clock::now() + kDrainWithin;
  while (Clock::now() < deadline) {
    if (admin(vtx, endpoint, "show").find("\"depth\":0,") != std::string::npos) return true;
    std::this_thread::sleep_for(milliseconds(50));
  }
  return false;
}

void judge(const std::map<std::string, int>& sent, const std::map<std::string, Deliveries>& seen, std::size_t kills) {
  std::size_t total = 0;
  std::size_t lost = 0;
  std::size_t again = 0;
  int most = 0;
  int unexplained = 0;
  for (const auto& [producer, count] : sent) {
    total += static_cast<std::size_t>(count);
    for (int i = 1; i <= count; ++i) {
      const auto found = seen.find(fmt::format("{}:{}", producer, i));
      if (found == seen.end()) {
        ++lost;
      } else {
        const Deliveries& deliveries = found->second;
        again += deliveries.by_all > 1 ? 1 : 0;
        most = std::max(most, deliveries.by_all);
        unexplained += deliveries.by_all - deliveries.by_killed > 1 ? 1 : 0;
      }
    }
  }
  fmt::print("{} messages sent, {} lost, {} processed more than once, at most {} times; {} kills\n", total, lost, again,
             most, kills);
  check(total > 0, "nothing was sent");
  check(lost == 0, fmt::format("{} messages were lost", lost));
  check(seen.size() == total, "messages came that nobody sent");
  // Each delivery but one was to a consumer that was killed with the message in hand.
  check(unexplained == 0, fmt::format("{} messages were delivered again without a kill", unexplained));
  // A kill can make at most one holder's claims come again: prefetch messages.
  check(again <= kills * 100, "more came again than the killed consumers can have held");
}

int campaign(int seconds) {
  const char* given = std::getenv("CAMPAIGN_SEED");
  const auto seed = given != nullptr ? std::strtoul(given, nullptr, 10) : std::random_device{}();
  fmt::print("seed {}\n", seed);
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  const Directory directory;
  const std::string file = directory / "q.db";
  const std::string endpoint = "sqlite://" + file + "?queue=jobs";
  Crowd crowd(directory, endpoint);
  crowd.begin();
  std::uintmax_t most_wal = 0;
  const auto until = Clock::now() + std::chrono::seconds(seconds);
  for (auto next = Clock::now() + kKillEvery; next < until; next += kKillEvery) {
    while (Clock::now() < next) {
      most_wal = std::max(most_wal, size_of(file + "-wal"));
      std::this_thread::sleep_for(milliseconds(10));
    }
    crowd.kill_one(random() % kConsumers);
  }
  const auto sent = crowd.stop_producers();
  {
    void* context = zmq_ctx_new();
    vtx_t* vtx = vtx_new(context);
    vtx_register(vtx, "sqlite", vtx_sqlite_driver);
    check(drain(vtx, endpoint), "the queue was not drained: " + admin(vtx, endpoint, "show"));
    crowd.stop_consumers();
    const std::string view = admin(vtx, endpoint, "show");
    check(view.find("\"dead\":0,") != std::string::npos, "messages were dead-lettered: " + view);
    vtx_destroy(&vtx);
    zmq_ctx_term(context);
  }
  judge(sent, read_logs(directory, crowd.incarnations, crowd.killed), crowd.killed.size());
  fmt::print("write-ahead log at most {} KiB\n", most_wal >> 10);
  check(most_wal < kMostWal, "the write-ahead log grew beyond 64 MiB");
  check(ask_database(file, "PRAGMA integrity_check") == "ok", "the database is damaged");
  return failures == 0 ? 0 : 1;
}

// --- sockets ---------------------------------------------------------------------------------------------------------

std::size_t open_descriptors() {
  const fs::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// True when the stats of no socket of `sockets` are known any more, within the deadline.
bool forgotten(vtx_t* vtx, const std::vector<void*>& sockets) {
  const auto deadline = Clock::now() + kDrainWithin;
  for (void* socket : sockets) {
    vtx_stats_t stats{};
    stats.struct_size = sizeof stats;
    while (vtx_stats(vtx, socket, nullptr, &stats) == 0) {
      if (Clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(5));
    }
  }
  return true;
}

int sockets_campaign(int count) {
  const Directory directory;
  const std::string endpoint = "sqlite://" + (directory / "q.db") + "?queue=jobs";
  {
    Station anchor(ZMQ_PULL, endpoint + "&group=anchor");
    const std::size_t before = open_descriptors();
    // Many at once, and one after the other, within the descriptors that every user has.
    std::vector<void*> closed;
    std::vector<void*> at_once;
    for (int i = 1; i <= count; ++i) {
      void* socket = vtx_socket(anchor.vtx, ZMQ_PUSH);
      if (socket == nullptr || vtx_connect(anchor.vtx, socket, endpoint.c_str()) != 0)
        die("cannot link another socket");
      const std::string text = std::to_string(i);
      if (zmq_send(socket, text.data(), text.size(), 0) < 0) die("cannot send");
      at_once.push_back(socket);
      if (at_once.size() < 100 && i < count) continue;
      for (void* one : at_once) zmq_close(one);
      check(forgotten(anchor.vtx, at_once), "a closed socket still has a link");
      at_once.clear();
    }
    std::vector<bool> seen(static_cast<std::size_t>(count) + 1, false);
    int missing = count;
    for (const auto deadline = Clock::now() + kDrainWithin; missing > 0 && Clock::now() < deadline;) {
      char text[16] = "";
      if (zmq_recv(anchor.socket, text, sizeof text - 1, 0) < 0) continue;
      const auto number = static_cast<std::size_t>(std::atoi(text));
      check(!seen.at(number), "a message came twice");
      seen[number] = true;
      --missing;
    }
    check(missing == 0, fmt::format("{} messages were lost", missing));
    const auto deadline = Clock::now() + kDrainWithin;
    while (open_descriptors() > before && Clock::now() < deadline) std::this_thread::sleep_for(milliseconds(10));
    fmt::print("{} sockets, {} descriptors before, {} after\n", count, before, open_descriptors());
    check(open_descriptors() <= before, "descriptors were left behind");
  }
  check(ask_database(directory / "q.db", "PRAGMA integrity_check") == "ok", "the database is damaged");
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto number = [&](std::size_t at, int otherwise) {
    return words.size() > at ? std::atoi(words[at].c_str()) : otherwise;
  };
  if (words.size() == 4 && words[0] == "produce") return produce(words[1], words[2], words[3]);
  if (words.size() == 3 && words[0] == "consume") return consume(words[1], words[2]);
  if (!words.empty() && words[0] == "sockets") return sockets_campaign(number(1, 5000));
  return campaign(number(0, 6));
}
