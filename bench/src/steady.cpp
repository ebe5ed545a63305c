/* SPDX-License-Identifier: MPL-2.0 */
#include "steady.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "node.hpp"
#include "worker.hpp"

namespace vtx::bench {

Latencies at_steady_pace(std::uint64_t rate, const std::string& endpoint, const std::string& of_sender,
                         const Options& options) {
  Node node(options.hwm);
  void* push = node.open(ZMQ_PUSH, endpoint + of_sender);
  void* pull = node.open(ZMQ_PULL, endpoint);
  const std::uint64_t warm_up = rate / 2;
  const std::uint64_t count = warm_up + std::min(options.messages, rate * 5);
  const auto begin = Clock::now() + std::chrono::milliseconds(10);
  const auto due = [&](std::uint64_t number) {
    return begin + std::chrono::nanoseconds(number * 1'000'000'000 / rate);
  };
  std::vector<std::atomic<Clock::rep>> sent(count);
  Worker sending([&] {
    std::string body(options.size, 'x');
    for (std::uint64_t number = 0; number < count; ++number) {
      // As an application with a timer: what is due goes, then it sleeps.
      if (Clock::now() < due(number)) std::this_thread::sleep_until(due(number));
      std::memcpy(body.data(), &number, sizeof number);
      sent[number].store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
      zmq_send(push, body.data(), body.size(), 0);
    }
  });
  Latencies latencies;
  std::string body(options.size, 'x');
  for (std::uint64_t number = 0; number < count; ++number) {
    if (zmq_recv(pull, body.data(), body.size(), 0) < 0) throw Failure("zmq_recv");
    if (number < warm_up) continue;
    const Clock::time_point at(Clock::duration(sent[number].load(std::memory_order_relaxed)));
    latencies.since_sent.push_back(1e6 * seconds_since(at));
    latencies.since_due.push_back(1e6 * seconds_since(due(number)));
  }
  sending.join();
  return latencies;
}

}  // namespace vtx::bench
