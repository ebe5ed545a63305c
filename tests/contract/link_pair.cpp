/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: PAIR. Two sockets alone, each on its side.
#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

TEST_P(LinkContract, APairTalksBothWays) {
  Socket one(world(), ZMQ_PAIR);
  one.bind(at());
  Socket other(world(), ZMQ_PAIR);
  other.connect(at());
  one.send_each(count_up(1, 50));
  other.send(Frames{"two", "frames"});
  EXPECT_EQ(other.receive(50), count_up(1, 50));
  EXPECT_EQ(one.receive_frames(), (Frames{"two", "frames"}));
}

TEST_P(LinkContract, APairNeedNotMeet) {
  {
    Socket one(world(), ZMQ_PAIR);
    one.connect(at());
    one.send("signal");
    one.flush();
  }
  restart();
  Socket other(world(), ZMQ_PAIR);
  other.bind(at());
  EXPECT_EQ(other.receive(), "signal");
}

TEST_P(LinkContract, APairHasOneSocketASide) {
  Socket first(world(), ZMQ_PAIR);
  first.connect(at());
  Socket second(world(), ZMQ_PAIR);
  EventLog events(world(), second);
  second.connect(at());
  const auto waits = events.wait(VTX_EVENT, VTX_EVENT_TROUBLE);
  ASSERT_TRUE(waits);
  EXPECT_NE(waits->sentence.find("another PAIR"), std::string::npos) << waits->sentence;
  Socket other(world(), ZMQ_PAIR);
  other.bind(at());
  other.send("to the first");
  EXPECT_EQ(first.receive(), "to the first");
  first.close();
  EXPECT_TRUE(events.wait(ZMQ_EVENT_CONNECTED));
  other.send("to the second");
  EXPECT_EQ(second.receive(), "to the second");
}

TEST_P(LinkContract, APairHasOneLink) {
  Socket pair(world(), ZMQ_PAIR);
  pair.connect(at());
  EXPECT_EQ(vtx_connect(world().vtx(), pair.get(), at_queue("other").c_str()), -1);
  EXPECT_EQ(errno, ENOTSUP);
  EXPECT_NE(std::string(vtx_last_error()).find("linked to '" + at() + "': disconnect it"), std::string::npos)
      << vtx_last_error();
  pair.disconnect(at());
  pair.connect(at_queue("other"));
}

}  // namespace
}  // namespace vtx::test
