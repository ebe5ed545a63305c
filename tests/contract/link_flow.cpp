/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: the way of a message. What goes in comes out, in order and whole, to each group once, past
// restarts, high-water marks and slow consumers, and beside libzmq's own transports.
#include <unistd.h>

#include <ctime>
#include <set>
#include <thread>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

// --- whole and in order ----------------------------------------------------------------------------------------------

TEST_P(LinkContract, CarriesAMessage) {
  Socket push(world(), ZMQ_PUSH);
  Socket pull(world(), ZMQ_PULL);
  push.bind(at());
  pull.connect(at());
  push.send("hello");
  EXPECT_EQ(pull.receive(), "hello");
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, LooksForWorkForAMomentAndThenSleeps) {
  Socket push(world(), ZMQ_PUSH);
  Socket pull(world(), ZMQ_PULL);
  push.bind(at("busy_poll=2ms"));
  pull.connect(at("busy_poll=5ms"));
  for (const std::string& text : count_up(1, 50)) {
    push.send(text);
    EXPECT_EQ(pull.receive(), text);
  }
  EXPECT_TRUE(drained());
  // What is counted is this process' time on a processor: a machine that is busy otherwise does not matter.
  const auto spent = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  const double before = spent();
  std::this_thread::sleep_for(Ms{1000});
  EXPECT_LT(spent() - before, 0.5);
}

TEST_P(LinkContract, KeepsMessagesWhenEverythingIsClosedAndOpenedAgain) {
  put({"a", "b"});
  restart();
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(2), (Frames{"a", "b"}));
  EXPECT_TRUE(drained());
  pull.close();
  restart();
  put({"c"});
  Socket later(world(), ZMQ_PULL);
  later.connect(at());
  EXPECT_EQ(later.receive(), "c") << "a settled message came again";
}

TEST_P(LinkContract, IsFirstInFirstOut) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at("durability=async"));
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  const int count = 5000;
  std::thread sender([&] { push.send_each(count_up(1, count)); });
  EXPECT_EQ(pull.receive(count), count_up(1, count));
  sender.join();
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, KeepsFramesAndBytes) {
  const std::vector<Frames> messages{{""},
                                     {"a", "", "c"},
                                     {"", ""},
                                     {std::string("\0x\0", 3)},
                                     Frames(200, "f"),
                                     {std::string(100'000, '\xff'), "end"}};
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  for (const Frames& message : messages) push.send(message);
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  for (const Frames& message : messages) EXPECT_EQ(pull.receive_frames(), message);
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, Carries64MebibytesInOneMessage) {
  std::string large(std::size_t{64} << 20, 'x');
  for (std::size_t i = 0; i < large.size(); i += 4099) large[i] = static_cast<char>(i);
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.send(std::string_view("before"));
  push.send(large);
  push.send(std::string_view("after"));
  push.flush();
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(), "before");
  EXPECT_TRUE(pull.receive() == large);
  EXPECT_EQ(pull.receive(), "after");
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, CarriesAHundredLinksAtOnce) {
  const int links = 50;
  const int each = 40;
  std::vector<std::unique_ptr<Socket>> senders;
  std::vector<std::unique_ptr<Socket>> receivers;
  for (int i = 0; i < links; ++i) {
    senders.push_back(std::make_unique<Socket>(world(), ZMQ_PUSH));
    senders.back()->connect(at("durability=async"));
    receivers.push_back(std::make_unique<Socket>(world(), ZMQ_PULL));
    receivers.back()->connect(at());
  }
  std::multiset<std::string> sent;
  for (int k = 0; k < each; ++k) {
    for (int i = 0; i < links; ++i) {
      sent.insert(std::to_string(i) + ":" + std::to_string(k));
      senders[static_cast<std::size_t>(i)]->send(std::to_string(i) + ":" + std::to_string(k));
    }
  }
  std::multiset<std::string> got;
  const bool all = wait_until([&] {
    for (auto& receiver : receivers) {
      while (const auto message = receiver->receive_frames(Ms{0})) got.insert(message->front());
    }
    return got.size() >= sent.size();
  });
  EXPECT_TRUE(all);
  EXPECT_TRUE(got == sent) << got.size() << " of " << sent.size();
  EXPECT_TRUE(drained());
}

// --- groups ----------------------------------------------------------------------------------------------------------

TEST_P(LinkContract, GivesEveryGroupEveryMessage) {
  Socket red(world(), ZMQ_PULL);
  Socket blue(world(), ZMQ_PULL);
  red.connect(at("group=red"));
  blue.connect(at("group=blue"));
  put(count_up(1, 100));
  EXPECT_EQ(red.receive(100), count_up(1, 100));
  EXPECT_TRUE(drained("red"));
  EXPECT_EQ(group("blue").depth, 100U);
  EXPECT_EQ(blue.receive(100), count_up(1, 100));
  EXPECT_TRUE(drained("blue"));
  EXPECT_TRUE(wait_until([&] { return show(world(), at()).messages == 0; })) << "what all have settled is retired";
}

TEST_P(LinkContract, MembersOfAGroupShare) {
  Socket first(world(), ZMQ_PULL);
  Socket second(world(), ZMQ_PULL);
  first.connect(at());
  second.connect(at());
  put(count_up(1, 400));
  std::multiset<std::string> got;
  std::size_t of_first = 0;
  EXPECT_TRUE(wait_until([&] {
    if (const auto message = first.receive_frames(Ms{0})) got.insert(message->front()), ++of_first;
    if (const auto message = second.receive_frames(Ms{0})) got.insert(message->front());
    return got.size() == 400;
  }));
  const Frames all = count_up(1, 400);
  EXPECT_TRUE(got == std::multiset<std::string>(all.begin(), all.end()));
  EXPECT_GT(of_first, 0U);
  EXPECT_LT(of_first, 400U);
}

TEST_P(LinkContract, ConsumerThatDoesNotReadLeavesTheRestToOthers) {
  Socket idle(world(), ZMQ_PULL);
  idle.connect(at());
  Socket busy(world(), ZMQ_PULL);
  busy.connect(at());
  put(count_up(1, 300));
  std::size_t got = 0;
  EXPECT_TRUE(wait_until([&] {
    while (busy.receive_frames(Ms{0})) ++got;
    return group().depth <= 20;
  })) << "the idle consumer keeps "
      << group().depth;
  idle.close();  // and gives back what it had
  EXPECT_TRUE(wait_until([&] {
    while (busy.receive_frames(Ms{0})) ++got;
    return got == 300;
  }));
  EXPECT_EQ(busy.stats().redelivered, 0U) << "what was never received does not count as delivered";
}

TEST_P(LinkContract, ClaimsNoMoreThanPrefetch) {
  put(count_up(1, 500));
  Socket pull(world(), ZMQ_PULL);
  pull.set(ZMQ_RCVHWM, 5).connect(at("prefetch=20"));
  // Fast at first, so that the window opens to its ceiling; then nothing more is read.
  EXPECT_EQ(pull.receive(200), count_up(1, 200));
  std::uint64_t settled = 0;
  EXPECT_TRUE(wait_until([&] {
    const std::uint64_t before = std::exchange(settled, pull.stats().settled);
    return settled == 200 && before == settled;
  }));
  EXPECT_LE(pull.stats().in_hand, 20U);
  EXPECT_LE(500 - 200 - (group().depth - group().claimed), 20U);
  EXPECT_LE(group().claimed, 20U);
  EXPECT_EQ(pull.receive(300), count_up(201, 500));
}

// --- durable ---------------------------------------------------------------------------------------------------------

TEST_P(LinkContract, FlushCoversAllThatWasSent) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  EXPECT_EQ(vtx_flush(world().vtx(), push.get(), 0), 0) << "nothing was sent: " << vtx_last_error();
  push.send_each(count_up(1, 2500));
  push.flush();
  const vtx_stats_t stats = push.stats();
  EXPECT_EQ(stats.taken, 2500U);
  EXPECT_EQ(stats.durable, 2500U);
  EXPECT_LT(stats.commits, 2500U) << "messages that wait share a commit";
  EXPECT_EQ(show(world(), at()).head, 2500U);
}

TEST_P(LinkContract, FlushWithoutLinksOrMessagesIsDone) {
  Socket push(world(), ZMQ_PUSH);
  EXPECT_EQ(vtx_flush(world().vtx(), push.get(), -1), 0);
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(vtx_flush(world().vtx(), pull.get(), -1), 0);
}

TEST_P(LinkContract, CountsWhatItDoes) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.send_each({"a", "b"});
  push.flush();
  EXPECT_EQ(push.stats().depth, 2U);
  EXPECT_EQ(push.stats().state, static_cast<std::uint32_t>(VTX_STATE_LIVE));
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(2), (Frames{"a", "b"}));
  EXPECT_TRUE(pull.reaches(&vtx_stats_t::settled, 2));
  const vtx_stats_t stats = pull.stats();
  EXPECT_EQ(stats.links, 1U);
  EXPECT_EQ(stats.delivered, 2U);
  EXPECT_EQ(stats.redelivered, 0U);
  EXPECT_EQ(stats.in_hand, 0U);
  EXPECT_GE(stats.claims, 1U);
  EXPECT_EQ(stats.depth, 0U);
  vtx_stats_t small{};
  small.struct_size = 4;
  EXPECT_EQ(vtx_stats(world().vtx(), pull.get(), nullptr, &small), -1);
  EXPECT_EQ(errno, EINVAL);
  small.struct_size = sizeof small;
  EXPECT_EQ(vtx_stats(world().vtx(), pull.get(), "nowhere:", &small), -1);
  EXPECT_EQ(errno, ENOENT);
}

// --- beside libzmq ---------------------------------------------------------------------------------------------------

std::string bind_tcp(Socket& socket) {
  socket.bind("tcp://127.0.0.1:*");
  char text[256] = "";
  std::size_t size = sizeof text;
  EXPECT_EQ(zmq_getsockopt(socket.get(), ZMQ_LAST_ENDPOINT, text, &size), 0);
  return text;
}

TEST_P(LinkContract, StandsBesideOtherTransportsOnOneSocket) {
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  const std::string tcp = bind_tcp(pull);
  pull.bind("inproc://beside");
  const std::string ipc = "ipc://@vtx-links-" + std::to_string(::getpid());  // abstract: no file is left
  pull.bind(ipc);
  std::vector<std::unique_ptr<Socket>> senders;
  const Frames endpoints{at(), tcp, "inproc://beside", ipc};
  for (const std::string& endpoint : endpoints) {
    senders.push_back(std::make_unique<Socket>(world(), ZMQ_PUSH));
    senders.back()->connect(endpoint);
    senders.back()->send(endpoint);
  }
  const Frames got = pull.receive(4);
  EXPECT_EQ(std::set<std::string>(got.begin(), got.end()), std::set<std::string>(endpoints.begin(), endpoints.end()));
  EXPECT_EQ(pull.stats().links, 1U) << "libzmq's own links are not ours";
}

TEST_P(LinkContract, SendersBalanceBetweenAQueueAndATcpPeer) {
  Socket tcp_pull(world(), ZMQ_PULL);
  const std::string tcp = bind_tcp(tcp_pull);
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.connect(tcp);
  // libzmq connects in the background: until both are there, one of them has everything.
  std::size_t by_tcp = 0;
  std::size_t sent = 0;
  EXPECT_TRUE(wait_until([&] {
    push.send(std::to_string(++sent));
    while (tcp_pull.receive_frames(Ms{0})) ++by_tcp;
    return by_tcp >= 5;
  }));
  push.flush();
  EXPECT_GE(show(world(), at()).head, 5U);
  EXPECT_TRUE(wait_until([&] {
    while (tcp_pull.receive_frames(Ms{0})) ++by_tcp;
    return by_tcp + show(world(), at()).head == sent;
  }));
}

TEST_P(LinkContract, PollsTogetherWithTcp) {
  Socket queue(world(), ZMQ_PULL);
  queue.connect(at());
  Socket tcp(world(), ZMQ_PULL);
  const std::string endpoint = bind_tcp(tcp);
  zmq_pollitem_t items[] = {{queue.get(), 0, ZMQ_POLLIN, 0}, {tcp.get(), 0, ZMQ_POLLIN, 0}};
  EXPECT_EQ(zmq_poll(items, 2, 0), 0);
  put({"queued"});
  EXPECT_EQ(zmq_poll(items, 2, kPatience.count()), 1);
  EXPECT_NE(items[0].revents & ZMQ_POLLIN, 0);
  EXPECT_EQ(queue.receive(), "queued");
  Socket push(world(), ZMQ_PUSH);
  push.connect(endpoint);
  push.send("direct");
  EXPECT_EQ(zmq_poll(items, 2, kPatience.count()), 1);
  EXPECT_NE(items[1].revents & ZMQ_POLLIN, 0);
  EXPECT_EQ(tcp.receive(), "direct");
}

/// A program as it stands in every ZeroMQ guide. Only the two calls that join the sockets are given to it.
void existing_program(void* context, int (*join_sink)(void*, void*), int (*join_source)(void*, void*), void* with) {
  void* sink = zmq_socket(context, ZMQ_PULL);
  void* source = zmq_socket(context, ZMQ_PUSH);
  ASSERT_EQ(join_sink(sink, with), 0);
  ASSERT_EQ(join_source(source, with), 0);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(zmq_send(source, &i, sizeof i, 0), static_cast<int>(sizeof i));
  for (int i = 0; i < 100; ++i) {
    int got = -1;
    ASSERT_EQ(zmq_recv(sink, &got, sizeof got, 0), static_cast<int>(sizeof got));
    ASSERT_EQ(got, i);
  }
  zmq_close(source);
  zmq_close(sink);
}

TEST_P(LinkContract, ExistingProgramNeedsOnlyOtherBindsAndConnects) {
  existing_program(
      world().context(), [](void* socket, void*) { return zmq_bind(socket, "inproc://existing"); },
      [](void* socket, void*) { return zmq_connect(socket, "inproc://existing"); }, nullptr);
  std::pair<vtx_t*, std::string> with{world().vtx(), at()};
  existing_program(
      world().context(),
      [](void* socket, void* to) {
        const auto& [vtx, endpoint] = *static_cast<std::pair<vtx_t*, std::string>*>(to);
        return vtx_bind(vtx, socket, endpoint.c_str());
      },
      [](void* socket, void* to) {
        const auto& [vtx, endpoint] = *static_cast<std::pair<vtx_t*, std::string>*>(to);
        return vtx_connect(vtx, socket, endpoint.c_str());
      },
      &with);
  EXPECT_TRUE(drained());
}

// --- names, events, instances ----------------------------------------------------------------------------------------

TEST_P(LinkContract, TellsTheLastEndpoint) {
  Socket push(world(), ZMQ_PUSH);
  char text[1024] = "";
  EXPECT_EQ(vtx_last_endpoint(world().vtx(), push.get(), text, sizeof text), -1);
  EXPECT_EQ(errno, ENOENT);
  push.connect(at());
  EXPECT_EQ(vtx_last_endpoint(world().vtx(), push.get(), text, sizeof text), 0) << vtx_last_error();
  EXPECT_EQ(text, at());
  EXPECT_EQ(vtx_last_endpoint(world().vtx(), push.get(), text, at().size()), -1);
  EXPECT_EQ(errno, EINVAL);
  const std::string tcp = bind_tcp(push);
  EXPECT_EQ(vtx_last_endpoint(world().vtx(), push.get(), text, sizeof text), 0);
  EXPECT_EQ(text, tcp);
}

TEST_P(LinkContract, ReportsTheLifeOfALink) {
  Socket push(world(), ZMQ_PUSH);
  EventLog events(world(), push);
  push.connect(at());
  const auto connected = events.wait(ZMQ_EVENT_CONNECTED);
  ASSERT_TRUE(connected);
  EXPECT_EQ(connected->endpoint.substr(0, place_->address().size()), place_->address());
  push.disconnect(at());
  EXPECT_TRUE(events.wait(ZMQ_EVENT_CLOSED));
  push.bind(at());
  EXPECT_TRUE(events.wait(ZMQ_EVENT_LISTENING));
  EXPECT_EQ(vtx_monitor(world().vtx(), push.get(), nullptr, 0), 0);
  EXPECT_TRUE(events.wait(ZMQ_EVENT_MONITOR_STOPPED));
}

TEST_P(LinkContract, RefusesMonitorsElsewhere) {
  Socket push(world(), ZMQ_PUSH);
  EXPECT_EQ(vtx_monitor(world().vtx(), push.get(), "tcp://127.0.0.1:*", ZMQ_EVENT_ALL), -1);
  EXPECT_EQ(errno, ENOTSUP);
  EventLog first(world(), push);
  Socket other(world(), ZMQ_PUSH);
  EXPECT_EQ(vtx_monitor(world().vtx(), push.get(), "inproc://taken", ZMQ_EVENT_ALL), 0);
  EXPECT_EQ(vtx_monitor(world().vtx(), other.get(), "inproc://taken", ZMQ_EVENT_ALL), -1);
  EXPECT_EQ(errno, EADDRINUSE);
}

TEST_P(LinkContract, TwoInstancesOnOneContextShareTheQueue) {
  World second(world(), GetParam().scheme, GetParam().driver);
  Socket push(world(), ZMQ_PUSH);
  Socket pull(second, ZMQ_PULL);
  push.connect(at());
  pull.connect(at());
  push.send_each(count_up(1, 50));
  EXPECT_EQ(pull.receive(50), count_up(1, 50));
  pull.close();
  second.destroy();
  push.send("still");
  push.flush();
  EXPECT_EQ(show(world(), at()).head, 51U);
}

TEST_P(LinkContract, OneSocketMayHoldSeveralLinks) {
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at()).connect(at_queue("other"));
  Socket push(world(), ZMQ_PUSH);
  push.connect(at_queue("other"));
  push.send("there");
  EXPECT_EQ(pull.receive(), "there");
  put({"here"});
  EXPECT_EQ(pull.receive(), "here");
  EXPECT_EQ(pull.stats().links, 2U);
  EXPECT_EQ(pull.stats(at().c_str()).delivered, 1U);
  pull.disconnect(at());
  EXPECT_EQ(pull.stats().links, 1U);
  push.send("again");
  EXPECT_EQ(pull.receive(), "again");
}

}  // namespace
}  // namespace vtx::test
