/* SPDX-License-Identifier: MPL-2.0 */
//
// A work queue under kills: processes of one group on one file, killed at random while others send. The parent kills, watches the write-ahead
// log, and checks at the end what the promises say: nothing lost, deliveries bounded by kills, nothing dead-lettered, the file sound.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "campaigns.hpp"
#include "deliveries.hpp"
#include "support.hpp"

namespace vtx::crash {
namespace {

constexpr int kProducers = 10;
constexpr int kConsumers = 10;
constexpr milliseconds kKillEvery{200};
constexpr milliseconds kSendEvery{5};  // ten producers: 2,000 messages a second
constexpr std::uintmax_t kMostWal = std::uintmax_t{64} << 20;

std::uintmax_t size_of(const std::string& file) {
  std::error_code none;
  const auto size = std::filesystem::file_size(file, none);
  return none ? 0 : size;
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
    return {start({"consume", endpoint + "&lease=500ms", directory / fmt::format("log-{}", incarnation)}), incarnation};
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

}  // namespace

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
  Log processed(log);
  Station station(ZMQ_PULL, endpoint + "&prefetch=100");
  zmq_msg_t message;
  zmq_msg_init(&message);
  while (stopped == 0) {
    zmq_msg_t next;
    zmq_msg_init(&next);
    if (zmq_msg_recv(&next, station.socket, 0) < 0) continue;
    processed.line({static_cast<const char*>(zmq_msg_data(&next)), zmq_msg_size(&next)});
    zmq_msg_close(&next);  // processed: only now it may be settled
  }
  return 0;
}

int kills_campaign(int seconds) {
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed()));
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
    Operator watcher(endpoint);
    check(watcher.drain(), "the queue was not drained: " + watcher.show());
    crowd.stop_consumers();
    const std::string view = watcher.show();
    check(view.find("\"dead\":0,") != std::string::npos, "messages were dead-lettered: " + view);
  }
  judge(sent, read_logs(directory, crowd.incarnations, crowd.killed), crowd.killed.size());
  fmt::print("write-ahead log at most {} KiB\n", most_wal >> 10);
  check(most_wal < kMostWal, "the write-ahead log grew beyond 64 MiB");
  check(ask_database(file, "PRAGMA integrity_check") == "ok", "the database is damaged");
  return failures == 0 ? 0 : 1;
}

}  // namespace vtx::crash
