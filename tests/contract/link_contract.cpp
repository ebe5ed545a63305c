/* SPDX-License-Identifier: MPL-2.0 */
#include "contract/link_contract.hpp"

#include <algorithm>

namespace vtx::test {

std::unique_ptr<Socket> LinkContract::with_unread() {
  auto pull = std::make_unique<Socket>(world(), ZMQ_PULL);
  pull->connect(at());
  put({"x"});
  EXPECT_TRUE(pull->reaches(&vtx_stats_t::in_hand, 1));
  return pull;
}

std::unique_ptr<Socket> LinkContract::with_held(Message& held) {
  auto pull = with_unread();
  EXPECT_TRUE(pull->receive(held));
  return pull;
}

void LinkContract::expect_given_back(const Frames& texts, std::uint64_t counted) {
  Socket second(world(), ZMQ_PULL);
  second.connect(at());
  Frames got = second.receive(static_cast<int>(texts.size()));
  std::ranges::sort(got);  // what was counted may come before or after what was not
  EXPECT_EQ(got, texts);
  EXPECT_TRUE(second.reaches(&vtx_stats_t::settled, texts.size()));
  EXPECT_EQ(second.stats().redelivered, counted);
  EXPECT_EQ(second.stats().depth, 0U);
}

}  // namespace vtx::test
