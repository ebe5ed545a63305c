/* SPDX-License-Identifier: MPL-2.0 */
//
// Poison: one message in a thousand kills the worker that processes it. Exactly those end as dead letters, after `max_deliveries`, and none of their
// neighbours; another group gets them all; requeued they go to the group that they died in, and to no other.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <thread>

#include "campaigns.hpp"
#include "support.hpp"

namespace vtx::crash {
namespace {

constexpr int kWorkers = 3;
constexpr int kOneIn = 1000;
constexpr int kDeliveries = 3;

bool is_poison(const std::string& text) { return std::stoi(text) % kOneIn == 0; }

std::map<std::string, int> lines_of(const std::vector<std::string>& files) {
  std::map<std::string, int> count;
  for (const std::string& file : files) {
    std::ifstream log(file);
    for (std::string line; std::getline(log, line);) ++count[line];
  }
  return count;
}

/// Workers that are replaced when they die.
class Shift {
 public:
  Shift(const Directory& directory, std::string endpoint, std::string name, bool careful)
      : directory_(directory), endpoint_(std::move(endpoint)), name_(std::move(name)), careful_(careful) {
    for (int i = 0; i < kWorkers; ++i) begin(i);
  }
  /// Ends those that live, and counts those that died.
  void stop() {
    for (Hand& hand : hands_) {
      kill(hand.child, SIGTERM);
      hand.thread.join();
    }
  }
  std::vector<std::string> logs() const { return logs_; }
  int deaths() const { return deaths_; }

 private:
  void begin(int number) {
    logs_.push_back(directory_ / fmt::format("{}-{}", name_, number));
    Hand& hand = hands_[static_cast<std::size_t>(number)];
    const auto run = [this, log = logs_.back()] { return start({careful_ ? "careful" : "careless", endpoint_, log}); };
    hand.child = run();
    // Nobody dies any more when it is stopped: all poison is dead by then.
    hand.thread = std::thread([this, run, &hand] {
      while (end(hand.child) == -SIGKILL) {
        ++deaths_;
        hand.child = run();
      }
    });
  }

  struct Hand {
    std::thread thread;
    std::atomic<pid_t> child{0};
  };

  const Directory& directory_;
  const std::string endpoint_, name_;
  const bool careful_;
  std::array<Hand, kWorkers> hands_;
  std::vector<std::string> logs_;
  std::atomic<int> deaths_{0};
};

/// The numbers that stand as previews in the list of dead letters.
std::set<std::string> dead_letters(const std::string& json) {
  static const std::regex kPreview("\"preview\":\"([0-9]+)\"");
  std::set<std::string> found;
  for (std::sregex_iterator at(json.begin(), json.end(), kPreview), end; at != end; ++at) found.insert((*at)[1]);
  return found;
}

void fill(const std::string& endpoint, int count) {
  Station station(ZMQ_PUSH, endpoint);
  for (int i = 1; i <= count; ++i) {
    const std::string text = std::to_string(i);
    zmq_send(station.socket, text.data(), text.size(), 0);
  }
  if (vtx_flush(station.vtx, station.socket, static_cast<int>(kDrainWithin.count())) != 0) die("cannot flush");
}

/// Each number exactly so often at least, and nothing else.
void check_all(const std::map<std::string, int>& worked, const std::set<std::string>& wanted, const std::string& who) {
  std::size_t missing = 0;
  for (const std::string& text : wanted) missing += worked.contains(text) ? 0 : 1;
  check(missing == 0, fmt::format("{} missed {} messages", who, missing));
  check(worked.size() == wanted.size(), who + " worked on what was not its own");
}

}  // namespace

int work(const std::string& endpoint, const std::string& file, bool careful) {
  stop_on_term();
  Log log(file);
  // The short lease is what a crash is noticed by. Who never crashes must not be taken for dead because the machine was busy for a moment.
  Station station(ZMQ_PULL,
                  fmt::format("{}&lease={}&max_deliveries={}", endpoint, careful ? "60s" : "200ms", kDeliveries));
  while (stopped == 0) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, station.socket, 0) < 0) continue;
    const std::string text(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
    if (!careful && is_poison(text)) kill(getpid(), SIGKILL);
    log.line(text);
    zmq_msg_close(&message);
  }
  return 0;
}

int poison_campaign(int count) {
  const Directory directory;
  const std::string endpoint = "sqlite://" + (directory / "q.db") + "?queue=jobs";
  Operator watcher(endpoint);
  std::set<std::string> all, poison;
  for (int i = 1; i <= count; ++i) (i % kOneIn == 0 ? poison : all).insert(std::to_string(i));
  const std::string others = endpoint + "&group=others";
  // Both groups are there before the first message, or what the one has settled might be gone before the other comes.
  Shift careless(directory, endpoint, "worked", false);
  Shift careful(directory, others, "other", true);
  fill(endpoint, count);
  const auto deadline = Clock::now() + 2 * kDrainWithin;
  const auto settled = [&] {
    const std::string view = watcher.show();
    std::size_t empty = 0;
    for (std::size_t at = 0; (at = view.find("\"depth\":0,", at)) != std::string::npos; ++at) ++empty;
    return empty >= 2;
  };
  while (!settled() && Clock::now() < deadline) std::this_thread::sleep_for(milliseconds(50));
  check(settled(), "not all was settled: " + watcher.show());
  careless.stop();
  fmt::print("{} messages, {} of them poison; {} workers died\n", count, poison.size(), careless.deaths());
  check_all(lines_of(careless.logs()), all, "the group with the careless workers");
  // Fewer than three each where a worker that was held up for longer than its lease had one in hand.
  const int deaths = careless.deaths();
  const int most = static_cast<int>(poison.size()) * kDeliveries;
  check(deaths <= most && deaths > most / kDeliveries, fmt::format("{} died, of {}", deaths, most));
  const std::string list = watcher.run("dead list 100000");
  check(dead_letters(list) == poison, "other messages than the poison are dead letters: " + list);
  check(watcher.run("dead requeue all") == fmt::format("{{\"count\":{}}}", poison.size()), "not all could be requeued");
  Shift healed(directory, endpoint, "healed", true);
  while (!dead_letters(watcher.run("dead list 100000")).empty() && Clock::now() < deadline)
    std::this_thread::sleep_for(milliseconds(50));
  healed.stop();
  careful.stop();
  check_all(lines_of(healed.logs()), poison, "the healed workers");
  auto everything = all;
  everything.insert(poison.begin(), poison.end());
  const auto heard = lines_of(careful.logs());
  check_all(heard, everything, "the other group");
  for (const auto& [text, times] : heard) check(times == 1, "the other group was given again: " + text);
  return failures == 0 ? 0 : 1;
}

}  // namespace vtx::crash
