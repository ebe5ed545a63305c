/* SPDX-License-Identifier: MPL-2.0 */
//
// The connection is cut between a statement and its answer: what was done is found out, and done once.
#include <gtest/gtest.h>

#include <thread>

#include "support/cutting_proxy.hpp"
#include "support/postgres_database.hpp"
#include "traffic.hpp"
#include "vtx/drivers/postgres.h"

namespace vtx::test {
namespace {

/// Of every function that commits.
constexpr const char* kCommit = "commit_";

class Doubt : public testing::Test {
 protected:
  Doubt() { push_.set(ZMQ_RECONNECT_IVL, 10).connect(through_proxy()); }

  std::string direct() const { return database_.address() + "?queue=jobs"; }
  std::string through_proxy() const { return proxy_.address(database_.name()) + "?queue=jobs"; }
  Frames stored() const {
    Frames texts;
    for (const auto& row : database_.sql("SELECT convert_from(body, 'UTF8') FROM vtx.message ORDER BY stream, seq"))
      texts.push_back(*row[0]);
    return texts;
  }
  void send_and_flush(const std::string& text) {
    push_.send(text);
    push_.flush();
  }
  /// Has the locks of all streams, or all groups, until it is committed.
  std::unique_ptr<SqlSession> lock_all(const std::string& table) const {
    auto session = std::make_unique<SqlSession>("host=" + SharedPostgres::get().socket_directory +
                                                " port=" + std::to_string(SharedPostgres::get().port) +
                                                " user=vtx dbname=" + database_.name());
    session->exec("BEGIN; SET LOCAL search_path = vtx; SELECT lock_all(ARRAY(SELECT lock FROM " + table + "))");
    return session;
  }
  /// Until so many backends wait for a lock.
  testing::AssertionResult wait_blocked(std::size_t many) const {
    std::size_t seen = 0;
    if (wait_until([&] {
          seen = database_
                     .sql("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'")
                     .size();
          return seen == many;
        }))
      return testing::AssertionSuccess();
    return testing::AssertionFailure() << seen << " wait, not " << many;
  }

  const PostgresDatabase database_;
  CuttingProxy proxy_{SharedPostgres::get().port};
  World world_{"postgres", vtx_postgres_driver};
  Socket push_{world_, ZMQ_PUSH};
};

TEST_F(Doubt, ACommitWhoseAnswerIsLostIsRecognised) {
  send_and_flush("a");
  for (const char* text : {"b", "c", "d"}) {
    proxy_.lose_answer(kCommit);
    send_and_flush(text);
    EXPECT_TRUE(proxy_.wait_fault());
  }
  send_and_flush("e");
  EXPECT_EQ(stored(), (Frames{"a", "b", "c", "d", "e"}));
}

TEST_F(Doubt, ACommitThatNeverReachedTheServerIsMadeOnce) {
  send_and_flush("a");
  for (const char* text : {"b", "c", "d"}) {
    proxy_.lose_request(kCommit);
    send_and_flush(text);
    EXPECT_TRUE(proxy_.wait_fault());
  }
  EXPECT_EQ(stored(), (Frames{"a", "b", "c", "d"}));
}

TEST_F(Doubt, ACommitThatReachesTheServerAfterItsRepetitionDoesNothing) {
  send_and_flush("a");
  proxy_.delay_request(kCommit);
  send_and_flush("b");
  EXPECT_TRUE(proxy_.wait_fault());
  EXPECT_TRUE(proxy_.deliver());
  send_and_flush("c");
  EXPECT_EQ(stored(), (Frames{"a", "b", "c"}));
}

TEST_F(Doubt, ACommitThatStillWaitsForALockWhenItsRepetitionComesIsMadeOnce) {
  send_and_flush("a");
  auto locks = lock_all("stream");
  push_.send("b");
  ASSERT_TRUE(wait_blocked(1));
  proxy_.cut();
  // The server has not noticed that the first one's client has gone.
  ASSERT_TRUE(wait_blocked(2));
  locks->exec("COMMIT");
  push_.flush();
  send_and_flush("c");
  EXPECT_EQ(stored(), (Frames{"a", "b", "c"}));
}

TEST_F(Doubt, AClaimWhoseAnswerIsLostComesAgainAsItWas) {
  for (const auto& text : count_up(1, 10)) push_.send(text);
  push_.flush();
  proxy_.lose_answer("claim_next");
  Consumer consumer(through_proxy());
  EXPECT_TRUE(proxy_.wait_fault());
  ASSERT_TRUE(consumer.finish(10));
  int number = 0;
  for (const auto& one : consumer.deliveries()) {
    EXPECT_EQ(one.text, std::to_string(++number));
    EXPECT_EQ(one.deliveries, 1);
  }
  EXPECT_EQ(number, 10);
}

TEST_F(Doubt, AClaimThatStillWaitsForALockWhenItsRepetitionComesIsMadeOnce) {
  Consumer consumer(through_proxy());
  send_and_flush("1");
  ASSERT_TRUE(wait_until([&] { return consumer.distinct() == 1; }));
  // Its settlement is over: what waits from here on is for the second message.
  const std::string endpoint = direct();
  ASSERT_TRUE(wait_until([&] { return is_settled(world_, endpoint); }));
  auto locks = lock_all("consumer_group");
  {
    Socket another(world_, ZMQ_PUSH);
    another.connect(direct());
    another.send("2");
    another.flush();
  }
  ASSERT_TRUE(wait_blocked(1));
  proxy_.cut();
  ASSERT_TRUE(wait_blocked(2));
  locks->exec("COMMIT");
  ASSERT_TRUE(consumer.finish(2));
  EXPECT_EQ(consumer.deliveries().size(), 2U);
}

TEST_F(Doubt, ASettlementWhoseAnswerIsLostIsNotRepeated) {
  Consumer consumer(through_proxy());
  send_and_flush("a");
  ASSERT_TRUE(wait_until([&] { return consumer.distinct() == 1; }));
  for (int i = 2; i <= 5; ++i) {
    // Whichever of the two commits first.
    proxy_.lose_answer(kCommit);
    send_and_flush(std::to_string(i));
    EXPECT_TRUE(proxy_.wait_fault());
  }
  ASSERT_TRUE(consumer.finish(5));
  EXPECT_EQ(consumer.deliveries().size(), 5U);
}

TEST_F(Doubt, ConnectionsCutAllTheTimeUnderTrafficLoseAndDoubleNothing) {
  Traffic traffic(through_proxy());
  ASSERT_TRUE(traffic.consumer.receives(50));
  const auto until = std::chrono::steady_clock::now() + traffic_time(Ms{2000});
  for (int turn = 0; std::chrono::steady_clock::now() < until; ++turn) {
    switch (turn % 5) {
      case 0: proxy_.lose_answer(kCommit); break;
      case 1: proxy_.lose_request(kCommit); break;
      case 2: proxy_.lose_answer("claim_next"); break;
      case 3: proxy_.delay_request(kCommit); break;
      default: proxy_.cut(); continue;
    }
    EXPECT_TRUE(proxy_.wait_fault());
    if (turn % 5 == 3) {
      EXPECT_TRUE(proxy_.deliver());
    }
  }
  EXPECT_TRUE(traffic.finish(Again::never));
  std::cout << proxy_.connections() << " connections, " << traffic.producer.sent() << " messages\n";
}

}  // namespace
}  // namespace vtx::test
