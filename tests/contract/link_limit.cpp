/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: a limited queue blocks its senders and lets them go on, whoever makes the room; nothing is lost, and none overtakes.
#include <atomic>
#include <map>
#include <thread>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

TEST_P(LinkContract, AFullQueueBlocksItsSenderAndTellsOnce) {
  const std::string endpoint = at_queue("small") + "&limit=5";
  Socket push(world(), ZMQ_PUSH);
  EventLog events(world(), push);
  push.set(ZMQ_SNDHWM, 2).connect(endpoint);
  int sent = 0;
  EXPECT_TRUE(wait_until([&] {
    while (push.try_send(std::to_string(sent + 1))) ++sent;
    return sent > 5 && show(world(), endpoint).messages == 5;
  }));
  const auto full = events.wait(VTX_EVENT, VTX_EVENT_QUEUE_FULL);
  ASSERT_TRUE(full);
  EXPECT_NE(full->sentence.find("limit of 5"), std::string::npos) << full->sentence;
  EXPECT_EQ(vtx_flush(world().vtx(), push.get(), 50), -1);
  EXPECT_EQ(errno, ENOBUFS) << vtx_last_error();
  EXPECT_EQ(show(world(), endpoint).messages, 5U);
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at_queue("small"));
  const Frames got = pull.receive(sent);
  EXPECT_EQ(got, count_up(1, sent));
  push.flush();
  EXPECT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_RECOVERED));
}

TEST_P(LinkContract, ALimitSmallerThanABatchIsNoDeadlock) {
  const std::string endpoint = at_queue("small") + "&limit=3";
  Socket push(world(), ZMQ_PUSH);
  push.connect(endpoint);
  const auto other = open();
  std::atomic<bool> ended = false;
  std::uint64_t most = 0;
  std::thread watcher([&] {
    while (!ended) most = std::max(most, show(*other, endpoint).messages);
  });
  std::thread sender([&] {
    push.send_each(count_up(1, 400));
    push.flush();
  });
  const auto elsewhere = open();  // as another process
  {
    Socket pull(*elsewhere, ZMQ_PULL);
    pull.connect(at_queue("small"));
    EXPECT_EQ(pull.receive(400), count_up(1, 400));
    sender.join();
  }
  ended = true;
  watcher.join();
  EXPECT_LE(most, 3U);
}

TEST_P(LinkContract, SeveralProducersShareTheRoomAndKeepTheirOrder) {
  const std::string endpoint = at_queue("small") + "&limit=64B";
  Socket pull(world(), ZMQ_PULL);
  pull.connect(endpoint);  // whoever comes first declares the queue
  std::vector<std::thread> senders;
  const auto other = open();
  for (int name = 0; name < 3; ++name) {
    senders.emplace_back([&, name] {
      Socket push(name == 0 ? world() : *other, ZMQ_PUSH);
      push.connect(endpoint);
      for (int i = 0; i < 100; ++i)
        push.send(Frames{std::to_string(name), std::to_string(i), std::string(i % 50 == 0 ? 200 : 1, 'x')});
      push.flush();
    });
  }
  std::map<std::string, int> next;
  for (int i = 0; i < 300; ++i) {
    const auto message = pull.receive_frames();
    if (!message) ADD_FAILURE() << "message " << i << " does not come";
    if (!message) break;
    EXPECT_EQ((*message)[1], std::to_string(next[message->front()]++)) << "of " << message->front();
  }
  for (std::thread& sender : senders) sender.join();
}

TEST_P(LinkContract, ALinkThatDeclaresAnotherLimitIsRefused) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at_queue("small") + "&limit=5");
  Socket other(world(), ZMQ_PUSH);
  EXPECT_EQ(vtx_connect(world().vtx(), other.get(), (at_queue("small") + "&limit=6").c_str()), -1);
  EXPECT_EQ(errno, EEXIST) << vtx_last_error();
  other.connect(at_queue("small") + "&limit=5");
  Socket owner(world(), ZMQ_PULL);
  owner.bind(at_queue("small") + "&limit=none");
  EXPECT_EQ(vtx_connect(world().vtx(), other.get(), (at_queue("small") + "&limit=soon").c_str()), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_P(LinkContract, GroupsOfAQueueHoldBackRetentionFromTheBeginning) {
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at_queue("fan") + "&groups=fast,slow");
    push.send_each(count_up(1, 3));
    push.flush();
  }
  {
    Socket pull(world(), ZMQ_PULL);
    pull.connect(at_queue("fan") + "&group=fast");
    EXPECT_EQ(pull.receive(3), count_up(1, 3));
    EXPECT_TRUE(wait_until([&] { return show(world(), at_queue("fan")).groups["fast"].depth == 0; }));
  }
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at_queue("fan") + "&group=slow");
  EXPECT_EQ(pull.receive(3), count_up(1, 3));
  Socket push(world(), ZMQ_PUSH);
  EXPECT_EQ(vtx_connect(world().vtx(), push.get(), (at_queue("fan") + "&groups=other").c_str()), -1);
  EXPECT_EQ(errno, EEXIST) << vtx_last_error();
  Socket req(world(), ZMQ_REQ);
  EXPECT_EQ(vtx_connect(world().vtx(), req.get(), at("groups=a").c_str()), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_P(LinkContract, ExpiredAfterItWasSettledIsCountedToo) {
  Socket pull(world(), ZMQ_PULL);
  pull.set(ZMQ_RCVHWM, 1).connect(at("ack=none&prefetch=1000"));
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at("ttl=500ms"));
    push.send_each(count_up(1, 20));
    push.flush();
  }
  std::this_thread::sleep_for(Ms{700});
  std::uint64_t came = 0;
  while (pull.receive_frames(Ms{300})) ++came;
  EXPECT_TRUE(wait_until([&] { return show(world(), at()).counters["expired"] + came == 20; }))
      << show(world(), at()).counters["expired"] << " and " << came;
}

}  // namespace
}  // namespace vtx::test
