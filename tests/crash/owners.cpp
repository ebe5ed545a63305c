/* SPDX-License-Identifier: MPL-2.0 */
//
// Processes that share a RocksDB directory, producers and consumers, killed at random, and every second time the one that owns the directory: another
// takes over each time. At the end nothing that was flushed is lost, and nothing came again but to who was killed.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <thread>

#include "campaigns.hpp"
#include "deliveries.hpp"
#include "support.hpp"

namespace vtx::crash {
namespace {

constexpr int kProducers = 4;
constexpr int kConsumers = 4;
constexpr milliseconds kKillEvery{250};
constexpr int kFlushEvery = 20;
constexpr int kPrefetch = 100;
/// Everybody has to find the new owner within it, on a busy machine too.
constexpr const char* kLease = "&lease=2s";

/// The process that has the directory; 0 none.
pid_t owner_of(const std::string& directory) {
  const int file = ::open((directory + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return 0;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool asked = ::fcntl(file, F_GETLK, &lock) == 0;
  ::close(file);
  return asked && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

class Sharers {
 public:
  Sharers(const Directory& directory, std::string endpoint) : directory_(directory), endpoint_(std::move(endpoint)) {
    for (int i = 0; i < kProducers + kConsumers; ++i) all_.push_back(begin(i < kProducers));
  }

  /// Kills the owner, where it is one of these, or else any; another one comes instead.
  void kill_one(pid_t owner, std::size_t otherwise) {
    auto victim = std::ranges::find(all_, owner, &One::process);
    owners_killed += victim != all_.end();
    if (victim == all_.end()) victim = all_.begin() + static_cast<std::ptrdiff_t>(otherwise % all_.size());
    kill(victim->process, SIGKILL);
    check(end(victim->process) == -SIGKILL, "a process ended before it was killed");
    ++kills;
    if (!victim->produces) killed.insert(victim->incarnation);
    *victim = begin(victim->produces);
  }
  void stop(bool producers) {
    for (const One& one : all_)
      if (one.produces == producers) kill(one.process, SIGTERM);
    for (const One& one : all_)
      if (one.produces == producers) {
        const int code = end(one.process);
        check(code == 0, fmt::format("a {} failed: {}", one.produces ? "producer" : "consumer", code));
      }
  }
  /// Waits until something more has been flushed: who kills faster than that, on a slow machine, proves nothing.
  void wait_for_progress() {
    const auto so_far = [this] {
      int sum = 0;
      for (const auto& [producer, count] : flushed()) sum += count;
      return sum;
    };
    const int before = so_far();
    for (const auto deadline = Clock::now() + kDrainWithin; so_far() == before && Clock::now() < deadline;)
      std::this_thread::sleep_for(milliseconds(10));
  }
  /// How many each producer had flushed.
  std::map<std::string, int> flushed() const {
    std::map<std::string, int> counts;
    for (int i = 0; i < producers_; ++i) {
      std::ifstream log(directory_ / fmt::format("sent-{}", i));
      for (int count = 0; log >> count;) counts[std::to_string(i)] = count;
    }
    return counts;
  }

  int consumers = 0;  ///< incarnations
  std::set<int> killed;
  std::size_t kills = 0;
  std::size_t owners_killed = 0;

 private:
  struct One {
    pid_t process = 0;
    bool produces = false;
    int incarnation = 0;
  };
  One begin(bool produces) {
    const int me = produces ? producers_++ : consumers++;
    if (produces)
      return {start({"flush", endpoint_, std::to_string(me), directory_ / fmt::format("sent-{}", me)}), true, me};
    return {start({"consume", endpoint_ + kLease, directory_ / fmt::format("log-{}", me)}), false, me};
  }

  const Directory& directory_;
  const std::string endpoint_;
  std::vector<One> all_;
  int producers_ = 0;
};

void judge(const Sharers& sharers, const std::map<std::string, Deliveries>& seen) {
  std::size_t flushed = 0;
  std::size_t lost = 0;
  for (const auto& [producer, count] : sharers.flushed()) {
    flushed += static_cast<std::size_t>(count);
    for (int i = 1; i <= count; ++i) lost += !seen.contains(fmt::format("{}:{}", producer, i));
  }
  std::size_t again = 0;
  std::size_t unexplained = 0;
  for (const auto& [text, deliveries] : seen) {
    again += deliveries.by_all > 1;
    unexplained += deliveries.by_all - deliveries.by_killed > 1;
  }
  fmt::print("{} messages flushed, {} processed, {} lost, {} more than once; {} kills, {} of them of the owner\n",
             flushed, seen.size(), lost, again, sharers.kills, sharers.owners_killed);
  check(flushed > 0, "nothing was sent");
  check(lost == 0, fmt::format("{} messages were lost", lost));
  check(sharers.owners_killed > 0, "no owner was killed");
  check(unexplained == 0, fmt::format("{} messages were delivered again without a kill", unexplained));
  check(again <= sharers.killed.size() * kPrefetch, "more came again than the killed consumers can have held");
}

}  // namespace

int flush(const std::string& endpoint, const std::string& name, const std::string& report) {
  stop_on_term();
  Log log(report);
  Station station(ZMQ_PUSH, endpoint);
  for (int count = 1; stopped == 0; ++count) {
    const std::string text = fmt::format("{}:{}", name, count);
    while (zmq_send(station.socket, text.data(), text.size(), 0) < 0 && stopped == 0) {
    }
    if (count % kFlushEvery != 0) continue;
    while (vtx_flush(station.vtx, station.socket, static_cast<int>(kDrainWithin.count())) != 0)
      if (zmq_errno() != EINTR) die("cannot flush");
    log.line(std::to_string(count));
    std::this_thread::sleep_for(milliseconds(10));
  }
  return 0;
}

int owners_campaign(int seconds) {
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed()));
  const Directory directory;
  const std::string path = directory / "q";
  const std::string endpoint = "rocksdb://" + path + "?queue=jobs";
  Sharers sharers(directory, endpoint);
  const auto until = Clock::now() + std::chrono::seconds(seconds);
  for (auto next = Clock::now() + kKillEvery; next < until; next = Clock::now() + kKillEvery) {
    std::this_thread::sleep_until(next);
    sharers.wait_for_progress();
    sharers.kill_one(sharers.kills % 2 == 0 ? owner_of(path) : 0, random());
  }
  sharers.stop(true);
  {
    Operator watcher(endpoint);
    check(watcher.drain(), "the queue was not drained: " + watcher.show());
    sharers.stop(false);
    const std::string view = watcher.show();
    check(view.find("\"dead\":0,") != std::string::npos, "messages were dead-lettered: " + view);
    fmt::print("{}\n", watcher.run("check"));
  }
  judge(sharers, read_logs(directory, sharers.consumers, sharers.killed));
  return failures == 0 ? 0 : 1;
}

}  // namespace vtx::crash
