/* SPDX-License-Identifier: MPL-2.0 */
//
// A primary and a standby: the standby takes its place, is asked too early, or does not answer.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "own_server.hpp"
#include "support/postgres_standby.hpp"
#include "traffic.hpp"
#include "vtx/drivers/postgres.h"

namespace vtx::test {
namespace {

class Failover : public testing::Test {
 protected:
  Failover() : primary_(std::make_unique<PostgresServer>()) {
    make_database(*primary_);
    standby_ = std::make_unique<StandbyServer>(*primary_);
  }
  /// From now on a commit is one when the standby has it.
  void make_synchronous() const {
    set_server(*primary_, "synchronous_standby_names", "*");
    ASSERT_TRUE(wait_until(
        [&] { return primary_->sql("postgres", "SELECT sync_state FROM pg_stat_replication") == SqlRows{{"sync"}}; }));
  }

  std::unique_ptr<PostgresServer> primary_;
  std::unique_ptr<StandbyServer> standby_;
};

TEST_F(Failover, ToASynchronousStandbyLosesNothingThatWasFlushed) {
  make_synchronous();
  Traffic traffic(queue_at({primary_.get(), standby_.get()}));
  ASSERT_TRUE(traffic.consumer.receives(200));
  primary_->kill_postmaster();
  standby_->promote();
  set_server(*standby_, "synchronous_standby_names", "");
  const auto promoted = std::chrono::steady_clock::now();
  ASSERT_TRUE(traffic.producer.flushes(1));
  ASSERT_TRUE(traffic.consumer.receives(1));
  const auto took = std::chrono::duration_cast<Ms>(std::chrono::steady_clock::now() - promoted);
  std::cout << "traffic resumed " << took.count() << " ms after the promotion\n";
  if (std::getenv("VTX_TEST_SECONDS")) {
    EXPECT_LT(took, Ms(5000));
  }
  ASSERT_TRUE(traffic.consumer.receives(200));
  EXPECT_TRUE(traffic.finish(Again::redelivery));
  std::cout << traffic.repeated() << " of " << traffic.producer.sent() << " came again\n";
}

TEST_F(Failover, ACommitWhoseWaitForTheStandbyIsCancelledIsNotFlushed) {
  const std::string endpoint = queue_at({primary_.get()});
  World world("postgres", vtx_postgres_driver);
  Socket push(world, ZMQ_PUSH);
  push.set(ZMQ_RECONNECT_IVL, 10).connect(endpoint);
  push.send("before");
  push.flush();
  set_server(*primary_, "synchronous_standby_names", "nobody");
  SqlRows rows{{"before"}};
  do {  // until the server has read its settings a commit does not wait
    push.send("in doubt");
    rows.push_back({"in doubt"});
  } while (vtx_flush(world.vtx(), push.get(), 1000) == 0);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(wait_until([&] {
      return primary_->sql("postgres",
                           "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND "
                           "usename = 'vtx'") != SqlRows{};
    }));
    // Whoever is told about a commit is told by now; the next round waits until it is tried again.
    EXPECT_EQ(vtx_flush(world.vtx(), push.get(), 300), -1);
    EXPECT_EQ(errno, EAGAIN) << vtx_last_error();
  }
  set_server(*primary_, "synchronous_standby_names", "");
  push.flush();
  EXPECT_EQ(primary_->sql(kDatabase, "SELECT convert_from(body, 'UTF8') FROM vtx.message ORDER BY seq"), rows);
}

TEST_F(Failover, AStandbyAloneIsWaitedForUntilItIsPromoted) {
  Traffic traffic(queue_at({standby_.get()}));
  EXPECT_NE(wait_trouble(traffic.producer.events(), "read-only"), "");
  EXPECT_EQ(traffic.producer.flushed(), 0U);
  primary_.reset();
  standby_->promote();
  EXPECT_TRUE(traffic.consumer.receives(50));
  EXPECT_TRUE(traffic.finish(Again::never));
}

}  // namespace
}  // namespace vtx::test
