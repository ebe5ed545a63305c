/* SPDX-License-Identifier: MPL-2.0 */
//
// The C++ API: endpoints with typed options, iteration, deliveries that give back what was not acknowledged, events.
#include <gtest/gtest.h>

#include <vtx/vtx.hpp>

#include "support/memory_store.hpp"

namespace vtx::test {
namespace {

using namespace std::chrono_literals;

class CppApi : public testing::Test {
 protected:
  vtx::socket make(zmq::socket_type type) {
    vtx::socket socket(vtx_, type);
    socket.set(zmq::sockopt::rcvtimeo, 30'000);
    return socket;
  }
  void put(const std::vector<std::string>& texts) {
    vtx::socket push = make(zmq::socket_type::push);
    push.connect(queue());
    for (const std::string& text : texts) push.send(zmq::buffer(text), zmq::send_flags::none);
    EXPECT_TRUE(push.flush());
  }
  vtx::endpoint queue() const { return vtx::endpoint("memory:" + name_).queue("q"); }

  static inline int places = 0;
  const std::string name_ = "cpp-" + std::to_string(++places);
  zmq::context_t context_;
  vtx::instance vtx_ = [this] {
    vtx::instance made(context_);
    made.add_driver("memory", vtx_memory_driver);
    return made;
  }();
};

TEST(CppEndpoint, WritesWhatTheUriSays) {
  EXPECT_EQ(vtx::endpoint("sqlite:q.db").str(), "sqlite:q.db");
  EXPECT_EQ(vtx::endpoint("sqlite:q.db").queue("jobs").ack(vtx::ack::next).lease(2s).prefetch(10).str(),
            "sqlite:q.db?queue=jobs&ack=next&lease=2000ms&prefetch=10");
  EXPECT_EQ(vtx::endpoint("sqlite:q.db?queue=a").durability(vtx::durability::async).ttl(1h).priority(9).str(),
            "sqlite:q.db?queue=a&durability=async&ttl=3600000ms&priority=9");
  EXPECT_EQ(vtx::endpoint("x:y").from_sequence(7).log("up").str(), "x:y?from=seq:7&log=up");
  EXPECT_EQ(vtx::endpoint("x:y").from_age(15min).str(), "x:y?from=-900000ms");
  EXPECT_EQ(vtx::endpoint("x:y").from(std::chrono::system_clock::time_point(1'700'000'000s)).str(),
            "x:y?from=time:2023-11-14T22:13:20Z");
  EXPECT_EQ(vtx::endpoint("x:y").groups({"a", "b"}).full(vtx::full::block).properties().str(),
            "x:y?groups=a,b&full=block&properties=on");
  EXPECT_EQ(vtx::endpoint("x:y").set("spool", "sqlite:a&b?c=d%").str(), "x:y?spool=sqlite:a%26b%3Fc%3Dd%25");
}

TEST_F(CppApi, IteratesOverWhatThereIs) {
  put({"1", "2", "3"});
  vtx::socket pull = make(zmq::socket_type::pull);
  pull.connect(queue());
  std::string got;
  for (vtx::delivery& job : vtx::deliveries(pull)) {
    got += job.message().to_string();
    job.ack();
    if (got.size() == 3) pull.set(zmq::sockopt::rcvtimeo, 50);
  }
  EXPECT_EQ(got, "123");
  EXPECT_EQ(pull.stats().settled, 3U);
}

TEST_F(CppApi, TakesAPatternOfOnesOwn) {
  put({"1"});
  vtx::socket dealer(vtx_, vtx::pattern{"socket=dealer&streams=main&out=none"});
  dealer.connect(queue());
  EXPECT_EQ(dealer.last_endpoint(), queue().str());
  zmq::message_t message;
  ASSERT_TRUE(dealer.recv(message));
  EXPECT_EQ(message.to_string(), "1");
  EXPECT_THROW(vtx::socket(vtx_, vtx::pattern{"socket=push&in=fair"}), vtx::error);
}

TEST_F(CppApi, GivesBackWhatWasNotAcknowledged) {
  put({"1"});
  vtx::socket pull = make(zmq::socket_type::pull);
  pull.connect(queue());
  int times = 0;
  for (vtx::delivery& job : vtx::deliveries(pull)) {
    if (++times < 3) continue;
    job.ack();
    break;
  }
  EXPECT_EQ(times, 3);
  EXPECT_EQ(pull.stats().nacked, 2U);
}

TEST_F(CppApi, AcknowledgesWhatARouterReceived) {
  vtx::socket router = make(zmq::socket_type::router);
  router.bind(queue().ack(vtx::ack::manual).properties());
  vtx::socket dealer = make(zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::routing_id, "ann");
  dealer.connect(queue());
  dealer.send(zmq::str_buffer("hello"), zmq::send_flags::none);
  for (const bool acknowledged : {false, true}) {
    auto got = vtx::receive(router);
    ASSERT_TRUE(got);
    ASSERT_EQ(got->frames().size(), 3U);
    EXPECT_EQ(got->message().to_string(), "ann");
    EXPECT_EQ(got->frames()[1].to_string(), "hello");
    if (acknowledged) got->ack();
  }
  EXPECT_EQ(router.stats().nacked, 1U);
}

TEST_F(CppApi, MonitorsLinks) {
  vtx::socket pull = make(zmq::socket_type::pull);
  vtx::monitor events(context_, vtx_, pull);
  pull.connect(queue());
  const auto first = events.wait(30s);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->kind, ZMQ_EVENT_CONNECTED);
  EXPECT_EQ(first->endpoint, queue().str());
  EXPECT_FALSE(events.wait(0ms));
}

TEST_F(CppApi, ThrowsASentence) {
  vtx::socket pull = make(zmq::socket_type::pull);
  try {
    pull.connect(queue().set("qeue", "x"));
    FAIL() << "an unknown option was taken";
  } catch (const vtx::error& error) {
    EXPECT_EQ(error.num(), EINVAL);
    EXPECT_NE(std::string(error.what()).find("queue"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace vtx::test
