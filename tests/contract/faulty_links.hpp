/* SPDX-License-Identifier: MPL-2.0 */
//
// Links on a store in memory whose faults the test has in hand.
#pragma once

#include "contract/link_world.hpp"
#include "support/memory_store.hpp"

namespace vtx::test {

class FaultyLinks : public testing::Test {
 protected:
  std::string at(const std::string& options = {}) const {
    return "memory:" + path_ + "?queue=q" + (options.empty() ? "" : "&" + options);
  }
  void expect_all(const Frames& texts) {
    Socket pull(world_, ZMQ_PULL);
    pull.connect(at());
    EXPECT_EQ(pull.receive(static_cast<int>(texts.size())), texts);
    EXPECT_TRUE(pull.reaches(&vtx_stats_t::settled, texts.size()));
    EXPECT_EQ(pull.stats().depth, 0U);
    EXPECT_EQ(show(world_, at()).head, texts.size());
  }
  /// Sends until the socket would block. @return what was taken
  Frames fill(Socket& push) {
    Frames sent;
    while (push.try_send(std::to_string(sent.size() + 1))) sent.push_back(std::to_string(sent.size() + 1));
    return sent;
  }

  /// To a log, until all is durable.
  void publish(const Frames& texts) {
    Socket pub(world_, ZMQ_PUB);
    pub.set(ZMQ_RECONNECT_IVL, 1).connect(at());
    pub.send_each(texts);
    pub.flush();
  }
  /// Likewise from another process, whose session is never lost.
  void publish_from_elsewhere(const Frames& texts) {
    place_memory(path_, {memory_at(path_).database, std::make_shared<MemoryFaults>()});
    World elsewhere("memory", vtx_memory_driver);
    Socket pub(elsewhere, ZMQ_PUB);
    pub.connect(at());
    pub.send_each(texts);
    pub.flush();
  }
  /// What a subscriber with these options gets first.
  Frames read(const std::string& options, std::size_t count) {
    Subscriber sub(world_);
    sub.connect(at(options));
    return sub.receive(static_cast<int>(count));
  }

  static inline int places = 0;
  const std::string path_ = "faulty-" + std::to_string(++places);
  const std::shared_ptr<MemoryFaults> faults_ = memory_at(path_).faults;
  World world_{"memory", vtx_memory_driver};
};

}  // namespace vtx::test
