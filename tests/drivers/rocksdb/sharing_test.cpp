/* SPDX-License-Identifier: MPL-2.0 */
//
// What the next owner of the directory knows of those who were attached to the one before.
#include "scene.hpp"

namespace vtx::rocks::test {
namespace {

using SharingTest = RocksTest;

TEST_F(SharingTest, TheNextOwnerKnowsTheLeasesOfThoseWhoHaveNotYetComeBack) {
  auto first = open_beside();
  const Id queue = first->queue("q");
  const Id group = first->group(queue);
  first->append(first->stream(queue), numbers(1, 3), true);
  const auto away = open_beside();
  const Id holder = away->holder(Ms{7654});
  const Completion claimed = away->claim(group, holder, 2);
  first.reset();
  ASSERT_TRUE(away->wait_lost());

  const auto next = open_beside();
  const Id watcher = next->holder();
  const Completion beat = next->run(driver::Beat{watcher, Ms{5000}});
  ASSERT_EQ(beat.holders.size(), 1U);
  EXPECT_EQ(beat.holders[0].holder, holder);
  EXPECT_EQ(beat.holders[0].lease, Ms{7654}) << "or its claims are taken over before it can be back";
  EXPECT_FALSE(beat.holders[0].dead);

  away->start();
  away->settle({settle_all(claimed)});
  EXPECT_EQ(next->drain(group, watcher), numbers(3, 3));
}

TEST_F(SharingTest, TheNextOwnerKnowsThatTheOneBeforeHasStopped) {
  auto first = open_beside();
  const Id queue = first->queue("q");
  const Id group = first->group(queue);
  const Id holder = first->holder(Ms{3'600'000});
  first->append(first->stream(queue), numbers(1, 3), true);
  first->run(driver::Hold{queue, "peer:me", holder});
  (void)first->claim(group, holder, 2);
  first.reset();

  const auto next = open_beside();
  const Id watcher = next->holder();
  const Completion beat = next->run(driver::Beat{watcher, Ms{5000}});
  ASSERT_EQ(beat.holders.size(), 1U);
  EXPECT_TRUE(beat.holders[0].dead) << "its claims would wait for an hour";
  EXPECT_TRUE(next->ask(driver::Hold{queue, "peer:me", watcher}).status.ok());
}

}  // namespace
}  // namespace vtx::rocks::test
