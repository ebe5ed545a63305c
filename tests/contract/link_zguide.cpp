/* SPDX-License-Identifier: MPL-2.0 */
//
// The patterns of the ZeroMQ guide (https://zguide.zeromq.org, chapters 2 and 3) as programs that know nothing of VTX but the names of its calls:
// each runs over libzmq's own transports first, and then over the store, by its endpoints alone.
#include <atomic>
#include <deque>
#include <set>
#include <thread>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

/// Two endpoints: of those who come from outside, and of those who work inside.
struct Doors {
  std::string front, back;
};

/// zmq_proxy in a thread, until it is told to end.
class Proxy {
 public:
  Proxy(World& world, Socket& front, Socket& back) : control_(world, ZMQ_PAIR), told_(world, ZMQ_PAIR) {
    // Never one that was used before: libzmq frees it some time after the socket was closed.
    static int count = 0;
    const std::string address = "inproc://control-" + std::to_string(++count);
    told_.bind(address);
    control_.connect(address);
    thread_ = std::thread([&] { zmq_proxy_steerable(front.get(), back.get(), nullptr, told_.get()); });
  }
  ~Proxy() {
    control_.send("TERMINATE");
    thread_.join();
  }

 private:
  Socket control_, told_;
  std::thread thread_;
};

/// Clients ask through a broker that shares their requests out to workers.
void request_reply_broker(World& world, const Doors& doors) {
  constexpr int kClients = 3;
  constexpr int kRounds = 10;
  Socket front(world, ZMQ_ROUTER);
  front.bind(doors.front);
  Socket back(world, ZMQ_DEALER);
  back.bind(doors.back);
  Proxy proxy(world, front, back);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      Socket rep(world, ZMQ_REP);
      rep.connect(doors.back);
      while (!done)
        if (const auto request = rep.receive_frames(Ms{50})) rep.send(request->front() + " World");
    });
  }
  std::atomic<int> right{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      Socket req(world, ZMQ_REQ);
      req.connect(doors.front);
      for (int round = 0; round < kRounds; ++round) {
        const std::string hello = "Hello " + std::to_string(i * kRounds + round);
        req.send(hello);
        if (req.receive() == hello + " World") ++right;
      }
    });
  }
  for (auto& client : clients) client.join();
  done = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, kClients * kRounds);
}

/// What publishers tell one end, subscribers hear at the other.
void forwarder(World& world, const Doors& doors) {
  Socket in(world, ZMQ_XSUB);
  in.bind(doors.front);
  Socket out(world, ZMQ_XPUB);
  out.bind(doors.back);
  Proxy proxy(world, in, out);
  Subscriber all(world);
  all.connect(doors.back);
  Subscriber some(world, {"b"});
  some.connect(doors.back);
  Socket pub(world, ZMQ_PUB);
  pub.connect(doors.front);
  // Over libzmq's transports what is published before the subscriptions have come is lost.
  EXPECT_TRUE(wait_until([&] {
    pub.send("b ready?");
    return all.receive_frames(Ms{20}) && some.receive_frames(Ms{20});
  }));
  pub.send_each({"a 1", "b 2", "a 3", "b 4", "a end", "b end"});
  const auto heard = [](Socket& sub, const std::string& end) {
    Frames texts;
    while (texts.empty() || texts.back() != end) {
      const std::string text = sub.receive();
      if (text != "b ready?") texts.push_back(text);
    }
    return texts;
  };
  EXPECT_EQ(heard(all, "b end"), (Frames{"a 1", "b 2", "a 3", "b 4", "a end", "b end"}));
  EXPECT_EQ(heard(some, "b end"), (Frames{"b 2", "b 4", "b end"}));
}

/// Workers say that they are ready, and are given requests in turn. ROUTER to ROUTER: every message names who it is for.
void load_balancing_broker(World& world, const Doors& doors) {
  constexpr int kClients = 4;
  constexpr int kRounds = 5;
  Socket front(world, ZMQ_ROUTER);
  front.bind(doors.front);
  Socket back(world, ZMQ_ROUTER);
  back.bind(doors.back);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      Socket worker(world, ZMQ_REQ);
      worker.set(ZMQ_ROUTING_ID, "worker" + std::to_string(i)).connect(doors.back);
      worker.send("READY");
      for (;;) {
        const auto request = worker.receive_frames();  // client, delimiter, request
        if (!request || request->size() != 3) return;
        worker.send(Frames{request->front(), "", request->back() + " done"});
      }
    });
  }
  std::atomic<int> right{0};
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      Socket client(world, ZMQ_REQ);
      client.set(ZMQ_ROUTING_ID, "client" + std::to_string(i)).connect(doors.front);
      for (int round = 0; round < kRounds; ++round) {
        const std::string work = "work " + std::to_string(i * kRounds + round);
        client.send(work);
        if (client.receive() == work + " done") ++right;
      }
    });
  }
  std::deque<std::string> idle;
  std::set<std::string> workers;
  for (int answered = 0; answered < kClients * kRounds;) {
    zmq_pollitem_t items[] = {{back.get(), 0, ZMQ_POLLIN, 0}, {front.get(), 0, ZMQ_POLLIN, 0}};
    ASSERT_GT(zmq_poll(items, idle.empty() ? 1 : 2, static_cast<long>(kPatience.count())), 0);
    if ((items[0].revents & ZMQ_POLLIN) != 0) {
      const auto message = back.receive_frames();  // worker, delimiter, READY or client, delimiter, reply
      ASSERT_TRUE(message);
      idle.push_back(message->front());
      workers.insert(message->front());
      if (message->size() == 5) {
        front.send(Frames{(*message)[2], "", (*message)[4]});
        ++answered;
      }
    }
    if (!idle.empty() && (items[1].revents & ZMQ_POLLIN) != 0) {
      const auto request = front.receive_frames();  // client, delimiter, request
      ASSERT_TRUE(request);
      back.send(Frames{idle.front(), "", request->front(), "", request->back()});
      idle.pop_front();
    }
  }
  // Whoever is idle, or will be, is told to end.
  for (std::size_t ended = 0; ended < 3; ++ended) {
    if (idle.empty()) {
      const auto message = back.receive_frames();
      ASSERT_TRUE(message);
      idle.push_back(message->front());
    }
    back.send(Frames{idle.front(), "", "end"});
    idle.pop_front();
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, kClients * kRounds);
  EXPECT_LE(workers.size(), 3U);
}

/// Three steps, each of which waits for the one before.
void pair_signalling(World& world, const Doors& doors) {
  std::thread middle([&] {
    Socket last(world, ZMQ_PAIR);
    last.bind(doors.back);
    std::thread first([&] {
      Socket out(world, ZMQ_PAIR);
      out.connect(doors.back);
      out.send("READY");
    });
    EXPECT_EQ(last.receive(), "READY");
    first.join();
    Socket out(world, ZMQ_PAIR);
    out.connect(doors.front);
    out.send("READY");
  });
  Socket in(world, ZMQ_PAIR);
  in.bind(doors.front);
  EXPECT_EQ(in.receive(), "READY");
  middle.join();
}

struct Program {
  const char* name;
  void (*run)(World&, const Doors&);
};

TEST_P(LinkContract, TheGuidesPatternsRunByEndpointsAlone) {
  constexpr Program kPrograms[] = {{"request-reply", request_reply_broker},
                                   {"forwarder", forwarder},
                                   {"load-balancing", load_balancing_broker},
                                   {"signalling", pair_signalling}};
  for (const auto& [name, run] : kPrograms) {
    SCOPED_TRACE(name);
    run(world(), {std::string("inproc://front-") + name, std::string("inproc://back-") + name});
    run(world(), {at_queue(std::string("front-") + name), at_queue(std::string("back-") + name)});
  }
}

}  // namespace
}  // namespace vtx::test
