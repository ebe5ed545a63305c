/* SPDX-License-Identifier: MPL-2.0 */
//
// Request-reply under kills: workers and askers, durable and anonymous ones, are killed at random points. At the end every request that was
// durable has been worked on, and every answer that an asker got was the one to the question that it had just asked.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "campaigns.hpp"
#include "support.hpp"

namespace vtx::crash {
namespace {

constexpr int kWorkers = 3;
constexpr int kAskers = 4;
constexpr milliseconds kKillEvery{60};

std::string text_of(zmq_msg_t& message) {
  return {static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message)};
}

struct Message {
  Message() { zmq_msg_init(&frame); }
  ~Message() { zmq_msg_close(&frame); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  zmq_msg_t frame;
};

/// One life of a process.
struct Life {
  pid_t process = 0;
  std::string log;
};

class Crowd {
 public:
  Crowd(const Directory& directory, std::string endpoint) : directory_(directory), endpoint_(std::move(endpoint)) {
    for (int i = 0; i < kWorkers; ++i) workers_.push_back(worker());
    for (int i = 0; i < kAskers; ++i) askers_.push_back(asker(i));
  }

  void kill_worker(std::size_t which) {
    kill_one(workers_[which]);
    workers_[which] = worker();
  }
  void kill_asker(std::size_t which) {
    kill_one(askers_[which]);
    askers_[which] = asker(static_cast<int>(which));
  }
  void stop_askers() { stop(askers_); }
  void stop_workers() { stop(workers_); }
  int kills() const { return kills_; }
  const std::vector<std::string>& asker_logs() const { return asker_logs_; }
  const std::vector<std::string>& worker_logs() const { return worker_logs_; }

 private:
  Life worker() {
    worker_logs_.push_back(directory_ / fmt::format("worked-{}", worker_logs_.size()));
    return {start({"answer", endpoint_, worker_logs_.back()}), worker_logs_.back()};
  }
  /// Every other one has a name that it comes back with.
  Life asker(int number) {
    asker_logs_.push_back(directory_ / fmt::format("asked-{}", asker_logs_.size()));
    const std::string name = number % 2 == 0 ? fmt::format("desk-{}", number) : "";
    return {start({"ask", endpoint_, name, asker_logs_.back()}), asker_logs_.back()};
  }
  void kill_one(const Life& life) {
    ++kills_;
    kill(life.process, SIGKILL);
    check(end(life.process) == -SIGKILL, "a process ended before it was killed: " + life.log);
  }
  static void stop(const std::vector<Life>& lives) {
    for (const Life& life : lives) kill(life.process, SIGTERM);
    for (const Life& life : lives) {
      const int code = end(life.process);
      check(code == 0, fmt::format("a process failed: {}: {}", life.log, code));
    }
  }

  const Directory& directory_;
  const std::string endpoint_;
  std::vector<Life> workers_, askers_;
  std::vector<std::string> worker_logs_, asker_logs_;
  int kills_ = 0;
};

/// How often each line stands in the files.
std::map<std::string, int> lines_of(const std::vector<std::string>& files) {
  std::map<std::string, int> count;
  for (const std::string& file : files) {
    std::ifstream log(file);
    for (std::string line; std::getline(log, line);) ++count[line];
  }
  return count;
}

std::size_t count_of(const std::map<std::string, int>& lines, const std::string& kind) {
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(), [&](const auto& line) { return line.first.starts_with(kind); }));
}

void judge(const Crowd& crowd) {
  const auto told = lines_of(crowd.asker_logs());
  const auto worked = lines_of(crowd.worker_logs());
  int lost = 0;
  int unheard = 0;
  int repeated = 0;
  int again = 0;
  for (const auto& [line, times] : told) {
    const std::string text = line.substr(line.find(' ') + 1);
    if (line.starts_with("asked ")) lost += worked.contains(text) ? 0 : 1;
    if (line.starts_with("answered ")) unheard += told.contains("asked " + text) ? 0 : 1;
    repeated += times - 1;
    if (line.starts_with("wrong ")) check(false, "an asker got an answer that was not its own: " + text);
  }
  for (const auto& [text, times] : worked) again += times > 1 ? 1 : 0;
  fmt::print("{} requests, {} answered, {} lost, {} worked on more than once; {} kills\n", count_of(told, "asked "),
             count_of(told, "answered "), lost, again, crowd.kills());
  check(lost == 0, fmt::format("{} durable requests were never worked on", lost));
  check(unheard == 0, fmt::format("{} answers to what was never asked", unheard));
  check(repeated == 0, fmt::format("{} answers came twice", repeated));
  // Only a worker that was killed with a request in hand makes another work on it; each has a few in hand.
  check(again <= crowd.kills() * 100, "more was worked on again than the killed workers can have held");
}

}  // namespace

int ask(const std::string& endpoint, const std::string& name, const std::string& file) {
  stop_on_term();
  Log log(file);
  Station station(ZMQ_REQ, endpoint, false, name);
  const std::string life = file.substr(file.rfind('-') + 1);
  for (int i = 1; stopped == 0; ++i) {
    const std::string text = fmt::format("{}/{}/{}", name, life, i);
    if (zmq_send(station.socket, text.data(), text.size(), 0) < 0) continue;
    if (vtx_flush(station.vtx, station.socket, static_cast<int>(kDrainWithin.count())) != 0) die("cannot flush");
    log.line("asked " + text);
    Message reply;
    const auto deadline = Clock::now() + kDrainWithin;
    while (zmq_msg_recv(&reply.frame, station.socket, 0) < 0)
      if (Clock::now() > deadline) die("no answer to " + text);
    const std::string got = text_of(reply.frame);
    log.line(got == "re " + text ? "answered " + text : "wrong " + got + " to " + text);
  }
  return 0;
}

int answer(const std::string& endpoint, const std::string& file) {
  stop_on_term();
  Log log(file);
  Station station(ZMQ_REP, endpoint + "&lease=500ms&prefetch=20", true);
  while (stopped == 0) {
    Message request;
    if (zmq_msg_recv(&request.frame, station.socket, 0) < 0) continue;
    const std::string text = text_of(request.frame);
    log.line(text);
    const std::string reply = "re " + text;
    zmq_send(station.socket, reply.data(), reply.size(), 0);
  }
  return 0;
}

int requests_campaign(int rounds) {
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed()));
  const Directory directory;
  const std::string file = directory / "q.db";
  const std::string endpoint = "sqlite://" + file + "?queue=jobs";
  Crowd crowd(directory, endpoint);
  const auto deadline = Clock::now() + 2 * kDrainWithin;
  while (count_of(lines_of(crowd.asker_logs()), "answered ") < static_cast<std::size_t>(rounds) &&
         Clock::now() < deadline) {
    std::this_thread::sleep_for(kKillEvery);
    // Three workers, and one asker, in four kills.
    random() % 4 != 0 ? crowd.kill_worker(random() % kWorkers) : crowd.kill_asker(random() % kAskers);
  }
  crowd.stop_askers();
  {
    Operator watcher(endpoint);
    check(watcher.drain(), "the queue was not drained: " + watcher.show());
    crowd.stop_workers();
    const std::string view = watcher.show();
    check(view.find("\"dead\":0,") != std::string::npos, "requests were dead-lettered: " + view);
  }
  judge(crowd);
  check(count_of(lines_of(crowd.asker_logs()), "answered ") >= static_cast<std::size_t>(rounds), "too few rounds");
  check(ask_database(file, "PRAGMA integrity_check") == "ok", "the database is damaged");
  return failures == 0 ? 0 : 1;
}

}  // namespace vtx::crash
