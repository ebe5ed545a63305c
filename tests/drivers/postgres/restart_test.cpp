/* SPDX-License-Identifier: MPL-2.0 */
//
// The server goes away and comes back, or is not there yet, or takes nobody more.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

#include "own_server.hpp"
#include "support/cutting_proxy.hpp"
#include "support/pgbouncer.hpp"
#include "traffic.hpp"
#include "vtx/drivers/postgres.h"

namespace vtx::test {
namespace {

using namespace std::string_literals;

class Restart : public testing::Test {
 protected:
  Restart() { make_database(server_); }
  std::string endpoint() const { return queue_at({&server_}); }

  PostgresServer server_;
};

TEST_F(Restart, OfTheServerLosesNothingAndDoublesNothing) {
  Traffic traffic(endpoint());
  ASSERT_TRUE(traffic.consumer.receives(50));
  for (int round = 0; round < 2; ++round) {
    server_.restart();
    ASSERT_TRUE(traffic.producer.flushes(200));
    ASSERT_TRUE(traffic.consumer.receives(200));
  }
  EXPECT_TRUE(traffic.producer.events().wait(ZMQ_EVENT_DISCONNECTED));
  EXPECT_TRUE(traffic.producer.events().wait(ZMQ_EVENT_CONNECTED));
  // Settlements are with the server when it is told to stop: it writes them down.
  EXPECT_TRUE(traffic.finish(Again::never));
}

TEST_F(Restart, AfterACrashRepeatsWhatWasNotSettledOnDiskAndNothingElse) {
  Traffic traffic(endpoint());
  ASSERT_TRUE(traffic.consumer.receives(50));
  for (int round = 0; round < 3; ++round) {
    if (round == 1)
      server_.stop(PostgresServer::Stop::immediate);
    else
      server_.kill_postmaster();
    server_.start();
    ASSERT_TRUE(traffic.producer.flushes(200));
    ASSERT_TRUE(traffic.consumer.receives(200));
  }
  EXPECT_TRUE(traffic.finish(Again::redelivery));
  std::cout << traffic.repeated() << " of " << traffic.producer.sent() << " came again\n";
}

TEST(Crash, SettlementsThatWereNotOnDiskAreMadeAgain) {
  // Nobody writes them down but a commit that must be on disk, and there is none.
  PostgresServer server({"wal_writer_delay=10s"});
  make_database(server);
  const std::string endpoint = queue_at({&server});
  World world("postgres", vtx_postgres_driver);
  {
    Socket push(world, ZMQ_PUSH);
    push.connect(endpoint);
    push.send_each(count_up(1, 2000));
    push.flush();
  }
  Consumer consumer(endpoint);
  ASSERT_TRUE(wait_until([&] { return consumer.distinct() == 2000; }));
  ASSERT_TRUE(wait_until([&] { return is_settled(world, endpoint); }));
  server.kill_postmaster();
  server.start();
  EXPECT_TRUE(consumer.finish(2000)) << "what was settled is still in somebody's hands: "
                                     << show(world, endpoint).groups["default"].claimed;
}

TEST_F(Restart, AClientThatCameBeforeItsServerConnectsLater) {
  server_.stop();
  Traffic traffic(endpoint());
  EXPECT_NE(wait_trouble(traffic.producer.events(), "Connection refused"), "");
  EXPECT_EQ(traffic.producer.flushed(), 0U);
  server_.start();
  EXPECT_TRUE(traffic.producer.events().wait(ZMQ_EVENT_CONNECTED));
  EXPECT_TRUE(traffic.consumer.receives(50));
  EXPECT_TRUE(traffic.finish(Again::never));
}

TEST_F(Restart, OfItsStatisticsIsTakenForItsOwnAtMostOnce) {
  const PgBouncer bouncer(server_);
  const auto runs = [&] {
    return std::stol(*server_.sql(kDatabase, "SELECT last_value / 1000000 FROM vtx.mark")[0][0]);
  };
  Traffic traffic(endpoint());
  ASSERT_TRUE(traffic.consumer.receives(50));
  const std::string direct =
      *server_.sql(kDatabase, "SELECT array_agg(pid) FROM pg_stat_activity WHERE usename = 'vtx'")[0][0];
  Traffic pooled("postgres://vtx@127.0.0.1:" + std::to_string(bouncer.port()) + "/" + kDatabase +
                 "?queue=pooled&pooler=on");
  ASSERT_TRUE(pooled.consumer.receives(50));
  const auto before = runs();
  server_.sql("postgres", "SELECT pg_stat_reset_shared('wal')");
  // Whoever comes new finds another server than what the pooler's processes remember.
  server_.sql(kDatabase, "SELECT pg_terminate_backend(pid) FROM unnest('" + direct + "'::int[]) pid");
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(traffic.consumer.receives(200) && pooled.consumer.receives(200));
  }
  EXPECT_LE(runs(), before + 1);
  EXPECT_TRUE(traffic.finish(Again::never));
  EXPECT_TRUE(pooled.finish(Again::never));
}

/// Says to everybody what a server says while it recovers.
class StartingServer {
 public:
  StartingServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      ADD_FAILURE() << "cannot listen";
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~StartingServer() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }
  StartingServer(const StartingServer&) = delete;
  StartingServer& operator=(const StartingServer&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  void serve() const {
    while (!stop_) {
      pollfd one{listener_, POLLIN, 0};
      if (::poll(&one, 1, 20) != 1) continue;
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      char buffer[4096];
      // A request for encryption has eight bytes; no is the answer. Then comes the start-up packet.
      if (::recv(client, buffer, sizeof buffer, 0) == 8 && ::send(client, "N", 1, MSG_NOSIGNAL) == 1)
        (void)::recv(client, buffer, sizeof buffer, 0);
      const std::string fields = "SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0"s;
      const std::uint32_t length = htonl(static_cast<std::uint32_t>(4 + fields.size() + 1));
      const std::string message = "E" + std::string(reinterpret_cast<const char*>(&length), 4) + fields + '\0';
      (void)::send(client, message.data(), message.size(), MSG_NOSIGNAL);
      ::close(client);
    }
  }

  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_F(Restart, AServerThatIsStartingUpIsWaitedForInItsOwnWords) {
  const StartingServer starting;
  CuttingProxy proxy(server_.port());
  proxy.refuse_connections(true);
  const std::string both = "postgres://vtx@127.0.0.1:" + std::to_string(starting.port()) +
                           ",127.0.0.1:" + std::to_string(proxy.port()) + "/" + kDatabase + "?queue=jobs";
  Traffic traffic(both);
  EXPECT_NE(wait_trouble(traffic.producer.events(), "the database system is starting up"), "");
  EXPECT_EQ(traffic.producer.flushed(), 0U);
  proxy.refuse_connections(false);
  EXPECT_TRUE(traffic.consumer.receives(50));
  EXPECT_TRUE(traffic.finish(Again::never));
}

TEST(Crowded, AServerWithTooManyConnectionsIsWaitedForInItsOwnWords) {
  PostgresServer server({"max_connections=10", "superuser_reserved_connections=3"});
  make_database(server);
  std::vector<std::unique_ptr<SqlSession>> others;
  for (int i = 0; i < 7; ++i) others.push_back(std::make_unique<SqlSession>(server.address(kDatabase, "vtx")));
  Traffic traffic(queue_at({&server}));
  EXPECT_NE(wait_trouble(traffic.producer.events(), "connection slots are reserved"), "");
  EXPECT_EQ(traffic.producer.flushed(), 0U);
  others.clear();
  EXPECT_TRUE(traffic.consumer.receives(50));
  EXPECT_TRUE(traffic.finish(Again::never));
}

}  // namespace
}  // namespace vtx::test
