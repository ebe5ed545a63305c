/* SPDX-License-Identifier: MPL-2.0 */
#include "runs.hpp"

#include <algorithm>
#include <memory>

#include "node.hpp"
#include "relay.hpp"

namespace vtx::bench {
namespace {

/// A context with the sockets of one endpoint, ready before the clock starts.
struct Instance {
  Instance(const std::string& endpoint, bool receives, const Options& options)
      : node(options.hwm),
        push(node.open(ZMQ_PUSH, endpoint)),
        pull(receives ? node.open(ZMQ_PULL, endpoint) : nullptr) {}

  Node node;
  void* push;
  void* pull;
};

using Work = std::function<void(Instance& instance)>;

/// Does it in a thread for each.
void do_at_once(std::vector<std::unique_ptr<Instance>>& instances, const Work& work) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (const auto& instance : instances)
    workers.push_back(std::make_unique<Worker>([&work, at = instance.get()] { work(*at); }));
  for (const auto& worker : workers) worker->join();
}

Run time_work(const std::vector<std::string>& endpoints, bool receives, const Options& options, const Work& work) {
  std::vector<std::unique_ptr<Instance>> instances;
  for (const std::string& endpoint : endpoints)
    instances.push_back(std::make_unique<Instance>(endpoint, receives, options));
  const auto start = Clock::now();
  do_at_once(instances, work);
  const double seconds = seconds_since(start);
  std::uint64_t durable = 0, commits = 0;
  for (const auto& instance : instances) {
    const auto stats = instance->node.stats(instance->push);
    durable += stats.durable;
    commits += stats.commits;
  }
  return {seconds, ratio_of(durable, commits)};
}

}  // namespace

std::uint64_t whole_batch(const Run& run) { return std::max<std::uint64_t>(static_cast<std::uint64_t>(run.batch), 1); }

double ratio_of(std::uint64_t of, std::uint64_t by) {
  return by == 0 ? 0 : static_cast<double>(of) / static_cast<double>(by);
}

Worker sender(void* socket, const Options& options) {
  return Worker([socket, &options] { send_numbered(socket, options.messages, options.size); });
}

Run time_enqueue(const std::vector<std::string>& endpoints, const Options& options) {
  return time_work(endpoints, false, options, [&](Instance& at) {
    send_numbered(at.push, options.messages, options.size);
    at.node.flush(at.push);
  });
}

Run time_both_ways(const std::vector<std::string>& endpoints, const Options& options) {
  return time_work(endpoints, true, options, [&](Instance& at) {
    Worker sending = sender(at.push, options);
    receive_numbered(at.pull, options.messages);
    sending.join();
    at.node.flush(at.push);
  });
}

void open_once(const std::string& endpoint, const Options& options) {
  Node node(options.hwm);
  (void)node.open(ZMQ_PUSH, endpoint);
}

Run time_backlog(const std::string& endpoint, const Options& options) {
  Node node(options.hwm);
  const auto start = Clock::now();
  void* pull = node.open(ZMQ_PULL, endpoint);
  receive_numbered(pull, options.messages);
  const double seconds = seconds_since(start);
  const auto stats = node.stats(pull);
  return {seconds, ratio_of(stats.delivered, stats.claims)};
}

double time_replay(const std::string& endpoint, const Options& options) {
  Node node(options.hwm);
  const auto start = Clock::now();
  void* sub = node.open(ZMQ_SUB, endpoint + "&from=oldest");
  receive_numbered(sub, options.messages);
  return seconds_since(start);
}

double time_hops(const Options& options) {
  Relay relay(options.hwm);
  const auto start = Clock::now();
  Worker sending = sender(relay.push(), options);
  receive_numbered(relay.pull(), options.messages);
  sending.join();
  return seconds_since(start);
}

double time_batches(std::uint64_t messages, std::uint64_t batch,
                    const std::function<void(std::uint64_t count)>& append) {
  const auto start = Clock::now();
  for (std::uint64_t left = messages; left > 0;) {
    const std::uint64_t count = std::min(left, batch);
    append(count);
    left -= count;
  }
  return seconds_since(start);
}

}  // namespace vtx::bench
