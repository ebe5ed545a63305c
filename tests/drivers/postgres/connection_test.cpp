/* SPDX-License-Identifier: MPL-2.0 */
//
// Sessions are ended, statements cancelled, and nobody learns a password from what is said about it.
#include <gtest/gtest.h>

#include <thread>

#include "own_server.hpp"
#include "support/postgres_database.hpp"
#include "traffic.hpp"
#include "vtx/drivers/postgres.h"

namespace vtx::test {
namespace {

class Connections : public testing::Test {
 protected:
  std::string endpoint() const { return database_.address() + "?queue=jobs"; }
  /// Of VTX and this database. @return how many there were
  std::size_t terminate_all() const {
    return database_
        .sql_as_superuser(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = "
            "'vtx'")
        .size();
  }

  const PostgresDatabase database_;
};

TEST_F(Connections, TerminatedEveryTenthOfASecondLoseAndDoubleNothing) {
  Traffic traffic(endpoint());
  ASSERT_TRUE(traffic.consumer.receives(50));
  std::size_t ended = 0;
  const auto until = std::chrono::steady_clock::now() + traffic_time(Ms{2000});
  while (std::chrono::steady_clock::now() < until) {
    ended += terminate_all();
    std::this_thread::sleep_for(Ms{100});
  }
  const auto flushed = traffic.producer.flushed();
  EXPECT_GE(ended, 4U);
  EXPECT_TRUE(traffic.finish(Again::never));
  std::cout << ended << " connections ended, " << flushed << " messages durable meanwhile, " << traffic.repeated()
            << " came again\n";
}

TEST_F(Connections, AFullPipeWhoseFirstFrameIsLetGoIsNotTakenForAClosedSocket) {
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH);
  push.connect(endpoint());
  push.send_each(count_up(1, 20'000));
  push.flush();
  Socket pull(world, ZMQ_PULL);
  pull.set(ZMQ_RCVHWM, 20).connect(endpoint() + "&properties=on");
  for (int i = 1; i <= 20'000; ++i) {
    const auto frames = pull.receive_frames(Ms{5000});
    ASSERT_TRUE(frames) << i;
    ASSERT_EQ(frames->front(), std::to_string(i));
  }
}

/// A limit of the role that stops what VTX does, now and then.
class Limits : public Connections, public testing::WithParamInterface<const char*> {};

TEST_P(Limits, OfTheRoleLoseNothing) {
  Traffic traffic(endpoint());
  ASSERT_TRUE(traffic.consumer.receives(50));
  const std::string role = "ALTER ROLE vtx IN DATABASE " + database_.name();
  database_.sql_as_superuser(role + " SET " + GetParam() + " = '50ms'");
  terminate_all();
  // Somebody has the locks of all streams and groups, for longer than the limit.
  const auto until = std::chrono::steady_clock::now() + traffic_time(Ms{1500});
  while (std::chrono::steady_clock::now() < until) {
    database_.sql_as_superuser(
        "BEGIN; SET LOCAL search_path = vtx; SELECT lock_all(ARRAY(SELECT lock FROM stream UNION SELECT lock FROM "
        "consumer_group)); SELECT pg_sleep(0.15); COMMIT");
    std::this_thread::sleep_for(Ms{100});
  }
  EXPECT_NE(wait_trouble(traffic.producer.events(), "timeout"), "");
  database_.sql_as_superuser(role + " RESET " + GetParam());
  terminate_all();
  EXPECT_TRUE(traffic.consumer.receives(50));
  EXPECT_TRUE(traffic.finish(Again::never));
}

INSTANTIATE_TEST_SUITE_P(Timeouts, Limits, testing::Values("statement_timeout", "lock_timeout"),
                         [](const auto& one) { return std::string(one.param); });

/// A server that asks for a password.
class Passwords : public testing::Test {
 protected:
  Passwords() {
    make_database(server_);
    server_.sql("postgres", "ALTER ROLE vtx PASSWORD 'sesame-open'");
    const std::string file = *server_.sql("postgres", "SHOW hba_file")[0][0];
    server_.sql("postgres",
                "COPY (VALUES ('local all all trust'), ('host all all all scram-sha-256')) TO '" + file + "'");
    server_.sql("postgres", "SELECT pg_reload_conf()");
  }
  std::string endpoint(const std::string& password) const { return queue_at({&server_}, "vtx:" + password); }
  /// What vtx_connect says of it.
  std::string refusal(const std::string& endpoint) {
    Socket push(world_, ZMQ_PUSH);
    EventLog events(world_, push);
    EXPECT_EQ(vtx_connect(world_.vtx(), push.get(), endpoint.c_str()), -1) << endpoint;
    const std::string words = vtx_last_error();
    push.close();
    return words + "\n" + all_of(events);
  }
  static std::string all_of(EventLog& events) {
    std::string text;
    while (const auto event = events.wait(VTX_EVENT, -1, Ms{50}))
      text += event->endpoint + " " + event->sentence + "\n";
    return text;
  }

  PostgresServer server_;
  World world_{"postgres", vtx_postgres_driver};
};

TEST_F(Passwords, AreInNoErrorOfAnEndpointThatIsWrong) {
  const std::string right = endpoint("sesame-wrong");
  const std::string authority = right.substr(0, right.rfind('/'));
  for (const std::string& wrong :
       {right, right + "&bogus=1", right + "&sslmode=perhaps", right + "&target_session_attrs=odd",
        authority + "0000/app?queue=jobs", authority + "/nowhere?queue=jobs", authority + "/app?queue=",
        queue_at({&server_}) + "&password=sesame-wrong", queue_at({&server_}) + "&password=sesame-wrong&bogus=1"}) {
    const std::string said = refusal(wrong);
    EXPECT_GT(said.size(), 10U) << wrong;
    EXPECT_EQ(said.find("sesame"), std::string::npos) << said;
  }
  char* json = nullptr;
  EXPECT_EQ(vtx_admin(world_.vtx(), right.c_str(), "queues", 5000, &json), -1);
  EXPECT_EQ(std::string(vtx_last_error()).find("sesame"), std::string::npos) << vtx_last_error();
}

TEST_F(Passwords, AreInNoEventOfALinkThatIsCut) {
  Socket push(world_, ZMQ_PUSH);
  EventLog events(world_, push);
  push.set(ZMQ_RECONNECT_IVL, 10).connect(endpoint("sesame-open"));
  push.send("a");
  push.flush();
  server_.stop();
  const auto trouble = events.wait(VTX_EVENT, VTX_EVENT_TROUBLE);
  ASSERT_TRUE(trouble);
  EXPECT_NE(trouble->endpoint, "");
  server_.start();
  push.send("b");
  push.flush();
  server_.sql("postgres", "ALTER ROLE vtx PASSWORD 'another'");
  server_.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vtx'");
  const auto denied = wait_trouble(events, "password authentication failed");
  push.send("c");
  EXPECT_EQ(vtx_flush(world_.vtx(), push.get(), 100), -1);
  EXPECT_EQ(std::string(vtx_last_error()).find("sesame"), std::string::npos) << vtx_last_error();
  server_.sql("postgres", "ALTER ROLE vtx PASSWORD 'sesame-open'");
  push.flush();
  EXPECT_EQ((trouble->endpoint + trouble->sentence + denied + all_of(events)).find("sesame"), std::string::npos);
}

}  // namespace
}  // namespace vtx::test
