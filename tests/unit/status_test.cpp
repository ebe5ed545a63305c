/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/status.hpp"

#include <gtest/gtest.h>
#include <cerrno>

namespace vtx {
namespace {

TEST(Status, TellsWhatWaitingMayCure) {
  EXPECT_TRUE(is_passing(Code::no_space));
  EXPECT_TRUE(is_passing(Code::in_doubt));
  EXPECT_FALSE(is_passing(Code::newer_schema));
  EXPECT_FALSE(is_passing(Code::ok));
}

TEST(Status, MapsEveryFailureToAnErrno) {
  for (int code = 1; code <= static_cast<int>(Code::internal); ++code)
    EXPECT_NE(to_errno(static_cast<Code>(code)), 0) << code;
  EXPECT_EQ(to_errno(Code::newer_schema), EPROTO);
  EXPECT_EQ(to_errno(Code::no_scheme), EPROTONOSUPPORT);
}

}  // namespace
}  // namespace vtx
