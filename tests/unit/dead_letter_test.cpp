/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/dead_letter.hpp"

#include <gtest/gtest.h>

namespace vtx::driver {
namespace {

Death death() { return {"orders", {"main", "", "billing"}, 17, 3, "no such customer", 0, false}; }

TEST(DeadLetter, TellsWhereItComesFromAndWhy) {
  EXPECT_EQ(with_death("Type: order\n", death()),
            "Type: order\nDead-Group: billing\nDead-Reason: no such customer\nDead-Queue: orders\nDead-Sequence: 17\n"
            "Dead-Deliveries: 3\n");
}

TEST(DeadLetter, TellsItsPriorityWhereItHadOne) {
  Death urgent = death();
  urgent.priority = 9;
  const std::string properties = with_death("", urgent);
  EXPECT_TRUE(properties.ends_with("Dead-Priority: 9\n")) << properties;
  EXPECT_EQ(dead_from(properties).priority, 9);
}

TEST(DeadLetter, SaysNothingOfAnEarlierDeathButItsSequence) {
  Death second = death();
  second.seq = 2;
  second.delivery = 1;
  second.reason = "still none";
  second.again = true;
  EXPECT_EQ(with_death(with_death("Type: order\n", death()), second),
            "Type: order\nDead-Group: billing\nDead-Reason: still none\nDead-Queue: orders\nDead-Sequence: 17\n"
            "Dead-Deliveries: 1\n");
}

TEST(DeadLetter, GoesBackToWhereItComesFrom) {
  Death of_peer = death();
  of_peer.group = {"mailbox", "desk", "billing"};
  const DeadFrom from = dead_from(with_death("Type: order\n", of_peer));
  EXPECT_EQ(from.queue, "orders");
  EXPECT_EQ(parse_group_name(from.group), of_peer.group);
  EXPECT_EQ(from.priority, 0);
}

TEST(DeadLetter, HasOneLineForAReasonOfSeveral) {
  Death talkative = death();
  talkative.reason = "one\nDead-Queue: other";
  EXPECT_EQ(dead_from(with_death("", talkative)).queue, "orders");
}

TEST(DeadLetter, KeepsALastLineWithoutAnEnd) {
  EXPECT_TRUE(with_death("Type: order", death()).starts_with("Type: order\nDead-Group: billing\n"));
}

TEST(DeadLetter, TakesNothingFromWhatIsNoDeadLetter) {
  for (const char* text : {"", "Type: order\n", "Dead-Priority: x\n", "Dead-Priority: 12\n", "Dead-Queue\n"}) {
    const DeadFrom from = dead_from(text);
    EXPECT_EQ(from.queue, "") << text;
    EXPECT_EQ(from.group, "") << text;
    EXPECT_EQ(from.priority, 0) << text;
  }
}

}  // namespace
}  // namespace vtx::driver
