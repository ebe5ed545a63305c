/* SPDX-License-Identifier: MPL-2.0 */
#include <gtest/gtest.h>

#include "fleet.hpp"

int main(int argc, char** argv) {
  if (const auto code = vtx::test::play_role({argv, argv + argc})) return *code;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
