/* SPDX-License-Identifier: MPL-2.0 */
//
// What ten times as many messages leave behind in a RocksDB directory: in the speed of those that come later, on the disk, and in memory.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cases.hpp"
#include "node.hpp"
#include "worker.hpp"

namespace vtx::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kTimes = 10;
constexpr auto kPatience = std::chrono::seconds(60);
constexpr double kMiB = 1 << 20;

std::string consumed_at(const std::string& path) { return endpoint_of(path, "consumed", "rocksdb"); }

double mib_of(const std::string& directory) {
  double bytes = 0;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(directory))
    if (const auto size = entry.file_size(gone); !gone) bytes += static_cast<double>(size);
  return bytes / kMiB;
}

/// What this process has of the machine's memory now.
double resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  throw Failure("/proc/self/status tells no VmRSS");
}

void send_all(const std::string& path, std::uint64_t count, const Options& options) {
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, consumed_at(path));
  send_numbered(push, count, options.size);
  node.flush(push);
}

/// Sends, and then consumes what had been sent. @return messages/s of the consuming
double consume_backlog(const std::string& path, const Options& options) {
  send_all(path, options.messages, options);
  Node node(options.hwm);
  void* pull = node.open(ZMQ_PULL, consumed_at(path));
  const auto start = Clock::now();
  receive_numbered(pull, options.messages);
  return static_cast<double>(options.messages) / seconds_since(start);
}

void pass_through(const std::string& path, std::uint64_t count, const Options& options) {
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, consumed_at(path));
  void* pull = node.open(ZMQ_PULL, consumed_at(path));
  Worker sending([&] { send_numbered(push, count, options.size); });
  receive_numbered(pull, count);
  sending.join();
}

/// The least that is found within a while: links tend their queues, and compactions take their time.
double shrunk_mib(const std::string& path, const Options& options) {
  Node node(options.hwm);
  (void)node.open(ZMQ_PULL, consumed_at(path));
  double least = mib_of(path);
  for (const auto until = Clock::now() + kPatience; least > 64 && Clock::now() < until;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    least = std::min(least, mib_of(path));
  }
  return least;
}

}  // namespace

Case rocks_retired(const Options& options) {
  Arena arena(options.directory);
  Series last{"VTX, after ten times as many have gone", {}, {}}, first{"VTX, from the start", {}, {}, {}, 0.9};
  double left = 0;
  for (std::size_t round = 0; round < options.rounds; ++round) {
    const std::string path = arena.fresh();
    first.values.push_back(consume_backlog(path, options));
    pass_through(path, kTimes * options.messages, options);
    last.values.push_back(consume_backlog(path, options));
    first.ratios.push_back(last.values.back() / first.values.back());
    left = std::max(left, shrunk_mib(path, options));
  }
  return {"rocksdb-retired",
          "RocksDB: consume a backlog; at most " + std::to_string(static_cast<int>(left)) +
              " MiB were on the disk when all was consumed",
          "messages/s",
          {last, first}};
}

Case rocks_memory(const Options& options) {
  Arena arena(options.directory);
  const std::string path = arena.fresh();
  Series sent{"VTX, when all had been sent", {}, {}}, opened{"VTX, opened anew, a consumer that takes none", {}, {}};
  {
    Node node(options.hwm);
    void* push = node.open(ZMQ_PUSH, consumed_at(path));
    send_numbered(push, kTimes * options.messages, options.size);
    node.flush(push);
    sent.values.push_back(resident_mib());
  }
  Node node(options.hwm);
  void* pull = node.open(ZMQ_PULL, consumed_at(path));
  receive_numbered(pull, 1);
  opened.values.push_back(resident_mib());
  return {"rocksdb-memory",
          "RocksDB: memory of a process with ten times as many waiting, " +
              std::to_string(static_cast<int>(mib_of(path))) + " MiB on the disk",
          "MiB",
          {sent, opened}};
}

}  // namespace vtx::bench
