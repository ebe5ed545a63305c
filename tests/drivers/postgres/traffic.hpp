/* SPDX-License-Identifier: MPL-2.0 */
//
// Traffic through a queue while a test breaks something: real sockets, each with an instance and a thread of its own, that note what they
// sent, what was flushed and what came. Afterwards check_traffic() says whether the promises were kept.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "contract/link_world.hpp"

namespace vtx::test {

/// How long a test makes traffic: VTX_TEST_SECONDS of the environment, else `otherwise`.
Ms traffic_time(Ms otherwise);

/// The queue is there, and nothing in it is left for its group to settle.
bool is_settled(World& world, const std::string& endpoint);

/// Sends "NAME 1", "NAME 2"… in batches, each of which it flushes, until told to stop. Its events may be read by the thread that made it.
class Producer {
 public:
  /// @param batch  messages between two flushes
  explicit Producer(const std::string& endpoint, std::string name = "p", int batch = 20);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  const std::string& name() const { return name_; }
  EventLog& events() { return events_; }
  /// So many have been handed over, and so many of them are known to be durable.
  std::uint64_t sent() const { return sent_; }
  std::uint64_t flushed() const { return flushed_; }
  /// Waits until `more` messages are durable than are now.
  bool flushes(std::uint64_t more, Ms within = kPatience) const;
  /// Sends no more, and flushes what it sent. @return whether that has become durable
  bool finish(Ms within = kPatience);

 private:
  void work();
  bool flush(Ms within);

  const std::string name_;
  const int batch_;
  World world_;
  Socket push_;
  EventLog events_;
  std::atomic<std::uint64_t> sent_{0}, flushed_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct Delivery {
  std::string text;
  std::uint64_t sequence = 0;
  int deliveries = 0;  ///< as the property says: 1 the first time
};

/// Receives and lets go at once, until told to stop.
class Consumer {
 public:
  explicit Consumer(const std::string& endpoint);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  EventLog& events() { return events_; }
  /// How many different messages have come.
  std::uint64_t distinct() const { return distinct_; }
  /// Waits until `more` have come than have by now.
  bool receives(std::uint64_t more, Ms within = kPatience) const;
  /// Waits until so many different ones have come and nothing is left to settle, then stops. @return false when they do not come
  bool finish(std::uint64_t distinct, Ms within = kPatience);
  /// After finish(): all, in the order in which they came.
  const std::vector<Delivery>& deliveries() const { return deliveries_; }

 private:
  void work();
  void stop();

  World world_;
  Socket pull_;
  EventLog events_;
  const std::string endpoint_;
  std::vector<Delivery> deliveries_;
  std::set<std::string> seen_;
  std::atomic<std::uint64_t> distinct_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// What may make a message come twice.
enum class Again {
  never,       ///< nothing that happens in this test
  redelivery,  ///< the group was given it again: the server lost a settlement, or a consumer was silent for long
};

/// Everything flushed came, nothing else than what was sent, each is in the stream once and the stream has no hole; those that came for the first time came in
/// order.
testing::AssertionResult check_traffic(const std::map<std::string, std::uint64_t>& flushed,
                                       const std::vector<Delivery>& deliveries, Again again);

/// One of each: what most tests need.
class Traffic {
 public:
  explicit Traffic(const std::string& endpoint, int batch = 20) : producer(endpoint, "p", batch), consumer(endpoint) {}
  /// Ends both, and checks. The failure must be over.
  testing::AssertionResult finish(Again again);
  /// How many came more than once.
  std::uint64_t repeated() const;

  Producer producer;
  Consumer consumer;
};

}  // namespace vtx::test
