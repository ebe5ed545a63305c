/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: how they begin and end. What is refused and with what sentence; what a close leaves behind: nothing,
// and all that was sent, durable.
#include <filesystem>
#include <thread>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// --- what is refused -------------------------------------------------------------------------------------------------

struct Refusal {
  int type;
  std::string endpoint;
  int error;
  std::string sentence;  ///< a part of it
};

TEST_P(LinkContract, RefusesWithASentence) {
  const std::vector<Refusal> refusals{
      {ZMQ_PUSH, "nosuch:x?queue=q", EPROTONOSUPPORT, "nosuch"},
      {ZMQ_PUSH, at("qeue=a"), EINVAL, "did you mean 'queue'"},
      {ZMQ_PULL, at("lease=5"), EINVAL, "5s"},
      {ZMQ_PUSH, at("lease=5s"), EINVAL, "receive"},
      {ZMQ_PULL, at("durability=sync"), EINVAL, "durability"},
      {ZMQ_PUSH, at_queue("a%0Ab"), EINVAL, "queue"},
      {ZMQ_PUSH, at_queue("a\nb"), EINVAL, ""},
      {ZMQ_PUSH, at("spool_max=5KiB"), ENOTSUP, "not yet"},
      {ZMQ_PUSH, "", EINVAL, ""},
      {ZMQ_PUSH, at("full=block"), EINVAL, "full"},
      {ZMQ_REQ, at("ack=next"), EINVAL, "ack"},
      {ZMQ_REP, at("ack=manual"), EINVAL, "ack"},
      {ZMQ_STREAM, at(), ENOTSUP, "STREAM"},
  };
  for (const Refusal& refusal : refusals) {
    Socket socket(world(), refusal.type);
    EXPECT_EQ(vtx_connect(world().vtx(), socket.get(), refusal.endpoint.c_str()), -1) << refusal.endpoint;
    EXPECT_EQ(errno, refusal.error) << refusal.endpoint << ": " << vtx_last_error();
    EXPECT_NE(std::string(vtx_last_error()).find(refusal.sentence), std::string::npos)
        << refusal.endpoint << ": " << vtx_last_error();
    EXPECT_FALSE(socket.has_link()) << refusal.endpoint;
  }
  Socket conflated(world(), ZMQ_PULL);
  conflated.set(ZMQ_CONFLATE, 1);
  EXPECT_EQ(vtx_connect(world().vtx(), conflated.get(), at().c_str()), -1);
  EXPECT_EQ(errno, ENOTSUP);
  EXPECT_NE(std::string(vtx_last_error()).find("CONFLATE"), std::string::npos);
}

TEST_P(LinkContract, RefusesWhatIsNotAnInstanceOrSocket) {
  Socket push(world(), ZMQ_PUSH);
  EXPECT_EQ(vtx_connect(nullptr, push.get(), at().c_str()), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(vtx_connect(world().vtx(), nullptr, at().c_str()), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(vtx_connect(world().vtx(), push.get(), nullptr), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(vtx_new(nullptr), nullptr);
  EXPECT_EQ(errno, EFAULT);
  vtx_t* none = nullptr;
  EXPECT_EQ(vtx_destroy(&none), -1);
  EXPECT_EQ(vtx_socket(world().vtx(), 12345), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(vtx_disconnect(world().vtx(), push.get(), at().c_str()), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST_P(LinkContract, AdminCreatesNothing) {
  char* json = nullptr;
  EXPECT_EQ(vtx_admin(world().vtx(), at().c_str(), "show", 5000, &json), -1);
  EXPECT_EQ(errno, ENOENT) << vtx_last_error();
  put({"x"});
  EXPECT_EQ(vtx_admin(world().vtx(), at_queue("other").c_str(), "show", 5000, &json), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(vtx_admin(world().vtx(), at().c_str(), "explode", 5000, &json), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(vtx_admin(world().vtx(), at().c_str(), "queues", 5000, &json), 0) << vtx_last_error();
  EXPECT_NE(std::string(json).find("\"q\""), std::string::npos) << json;
  EXPECT_EQ(std::string(json).find("other"), std::string::npos) << json;
  vtx_free(json);
}

TEST_P(LinkContract, AdminTakesNoWordThatItDoesNotKnow) {
  put({"x"});
  const auto refused = [&](const std::string& endpoint, const char* command) {
    char* json = nullptr;
    errno = 0;
    EXPECT_EQ(vtx_admin(world().vtx(), endpoint.c_str(), command, 5000, &json), -1) << command;
    return std::string(vtx_last_error());
  };
  const std::pair<const char*, const char*> cases[] = {
      {"dead list -1", "'-1' is not a count"},
      {"dead list 0", "'0' is too small"},
      {"dead list 5 please", "'please' is one word too many: dead list takes a count at most"},
      {"show q", "'q' is one word too many: show takes none"},
      {"queues --all", "'--all' is one word too many"},
      {"check now", "'now' is one word too many"}};
  for (const auto& [command, words] : cases) {
    EXPECT_NE(refused(at(), command).find(words), std::string::npos) << command << ": " << vtx_last_error();
    EXPECT_EQ(errno, EINVAL) << command;
  }
  EXPECT_NE(refused("tcp://127.0.0.1:5555", "queues").find("stores nothing: name the endpoint of a store"),
            std::string::npos)
      << vtx_last_error();
  EXPECT_EQ(errno, ENOTSUP);
  EXPECT_NE(refused(at("log=peer:van-9"), "extent").find("'van-9' has ever attached to queue 'q'"), std::string::npos)
      << vtx_last_error();
  EXPECT_EQ(errno, ENOENT);
}

// --- what a close leaves behind --------------------------------------------------------------------------------------

TEST_P(LinkContract, CloseMakesDurableWhatWasSent) {
  for (const bool plainly : {false, true}) {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at());
    push.send_each(count_up(1, 500));
    plainly ? push.close_plainly() : push.close();
    restart();  // waits for the linger
    Socket pull(world(), ZMQ_PULL);
    pull.connect(at());
    EXPECT_EQ(pull.receive(500), count_up(1, 500));
    EXPECT_TRUE(drained());
  }
}

TEST_P(LinkContract, DisconnectMakesDurableWhatWasSent) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.send_each(count_up(1, 500));
  push.disconnect(at());
  EXPECT_TRUE(wait_until([&] { return show(world(), at()).head == 500; }));
  EXPECT_TRUE(wait_until([&] { return !push.has_link(); }));
  EXPECT_FALSE(push.try_send("nowhere to go"));
}

TEST_P(LinkContract, DestroyMakesDurableWhatWasSent) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.send_each(count_up(1, 500));
  world().destroy();
  push.close_plainly();
  restart();
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(500), count_up(1, 500));
}

TEST_P(LinkContract, CloseDuringTrafficLosesNothing) {
  const int count = 600;
  std::thread sender([&] {
    for (int first = 1; first <= count; first += 100) {
      Socket push(world(), ZMQ_PUSH);
      push.connect(at());
      push.send_each(count_up(first, first + 99));
      (first / 100) % 2 == 0 ? push.close_plainly() : push.close();
    }
  });
  std::vector<bool> seen(count + 1, false);
  int missing = count;
  for (int round = 0; missing > 0 && round < 1000; ++round) {
    Socket pull(world(), ZMQ_PULL);
    pull.connect(at());
    for (int i = 0; i < 23; ++i) {
      const auto message = pull.receive_frames(Ms{20});
      if (!message) break;
      const auto number = static_cast<std::size_t>(std::stoi(message->front()));
      EXPECT_FALSE(seen.at(number)) << number << " came twice";
      if (!seen[number]) --missing;
      seen[number] = true;
    }
    if (round % 2 == 0) pull.close_plainly();
  }
  sender.join();
  EXPECT_EQ(missing, 0);
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, PlainlyClosedSocketsLeaveNothingBehind) {
  Socket anchor(world(), ZMQ_PULL);  // keeps the store open, so that descriptors can be compared
  anchor.connect(at("group=anchor"));
  put({"0"});
  EXPECT_EQ(anchor.receive(), "0");
  ASSERT_TRUE(drained("anchor"));
  const std::size_t before = open_descriptors();
  const int count = 100;
  for (int i = 1; i <= count; ++i) {
    auto push = std::make_unique<Socket>(world(), ZMQ_PUSH);
    push->connect(at());
    push->send(std::to_string(i));
    void* socket = push->get();
    push->close_plainly();
    if (i % 10 != 0) continue;
    EXPECT_TRUE(wait_until([&] {
      vtx_stats_t stats{};
      stats.struct_size = sizeof stats;
      return vtx_stats(world().vtx(), socket, nullptr, &stats) == -1 && errno == ENOENT;
    }));
    Socket pull(world(), ZMQ_PULL);
    pull.connect(at("group=passing"));
    pull.close_plainly();
  }
  EXPECT_EQ(anchor.receive(count).size(), static_cast<std::size_t>(count));
  EXPECT_TRUE(wait_until([&] { return open_descriptors() <= before; }))
      << open_descriptors() << " descriptors, " << before << " before";
  EXPECT_EQ(show(world(), at()).head, static_cast<std::uint64_t>(count) + 1);
}

TEST_P(LinkContract, ReusedSocketIsALinkOfItsOwn) {
  for (int i = 0; i < 20; ++i) {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at());
    push.send("x");
    push.disconnect(at());
    push.connect(at());
    push.send("y");
    push.flush();
    EXPECT_EQ(push.stats(at().c_str()).links, 1U);
  }
  EXPECT_TRUE(wait_until([&] { return show(world(), at()).head == 40; }));
}

}  // namespace
}  // namespace vtx::test
