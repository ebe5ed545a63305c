/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract of links: properties=on, the last frame of every message both ways, and settling by the id that stands in it.
#include <map>
#include <thread>

#include "contract/link_contract.hpp"

namespace vtx::test {
namespace {

/// The value of a `Name: value` line; "-" when there is none.
std::string value_of(const Frames& message, const std::string& name) {
  const std::string text = '\n' + message.back();
  const auto at = text.find('\n' + name + ": ");
  if (at == std::string::npos) return "-";
  const auto begin = at + name.size() + 3;
  return text.substr(begin, text.find('\n', begin) - begin);
}

TEST_P(LinkContract, PropertiesEndEveryMessage) {
  Socket push(world(), ZMQ_PUSH);
  push.connect(at());
  push.send("one frame");
  push.send(Frames{"two", ""});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at("properties=on"));
  const auto first = pull.receive_frames();
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ(first->front(), "one frame");
  EXPECT_EQ(value_of(*first, "Sequence"), "1");
  EXPECT_EQ(value_of(*first, "Deliveries"), "1");
  EXPECT_EQ(value_of(*first, "Reason"), "-");
  EXPECT_EQ(value_of(*first, "Sent-Time").size(), std::string("2026-11-21T08:00:00.000Z").size());
  EXPECT_EQ(first->back().back(), '\n');
  const auto second = pull.receive_frames();
  ASSERT_TRUE(second);
  ASSERT_EQ(second->size(), 3U);
  EXPECT_EQ((Frames{(*second)[0], (*second)[1]}), (Frames{"two", ""}));
  EXPECT_EQ(value_of(*second, "Sequence"), "2");
  EXPECT_NE(value_of(*second, "Delivery-Id"), value_of(*first, "Delivery-Id"));
  EXPECT_TRUE(drained()) << "they settle as any other";
}

TEST_P(LinkContract, WhatTheSenderSetsTravelsAlong) {
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at("properties=on"));
    push.send(Frames{"body", "Content-Type: text/plain\nDelivery-Id: 1-2-3\nX.y_z: a: b"});
    push.send(Frames{"bare", ""});
    push.send(std::string_view("single"));
    push.flush();
  }
  Socket plain(world(), ZMQ_PULL);
  plain.connect(at());
  for (const char* body : {"body", "bare", "single"}) EXPECT_EQ(plain.receive_frames(), Frames{body});
  Socket full(world(), ZMQ_PULL);
  full.connect(at("group=full&properties=on"));
  const auto message = full.receive_frames();
  ASSERT_TRUE(message);
  EXPECT_EQ(value_of(*message, "Content-Type"), "text/plain");
  EXPECT_EQ(value_of(*message, "X.y_z"), "a: b");
  EXPECT_NE(value_of(*message, "Delivery-Id"), "1-2-3") << "that of the hop before is no news";
}

TEST_P(LinkContract, ABadPropertyBlockIsToldAndNothingIsLost) {
  Socket push(world(), ZMQ_PUSH);
  EventLog events(world(), push);
  push.connect(at("properties=on"));
  for (const std::string bad : {"no colon", "Ttl: soon", "Delay: 5 seconds", "Na me: x", "A: b\rC: d"}) {
    push.send(Frames{"body", bad});
    const auto event = events.wait(VTX_EVENT, VTX_EVENT_BAD_PROPERTIES);
    ASSERT_TRUE(event) << bad;
  }
  push.flush();
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive_frames(), (Frames{"body", "no colon"}));
  EXPECT_EQ(pull.receive_frames(), (Frames{"body", "Ttl: soon"}));
}

TEST_P(LinkContract, AMessageExpiresByItsTtl) {
  {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at("properties=on"));
    push.send(Frames{"short-lived", "Ttl: 1ms\n"});
    push.send(Frames{"long-lived", "Ttl: 1h\n"});
    push.flush();
  }
  std::this_thread::sleep_for(Ms{30});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at());
  EXPECT_EQ(pull.receive(), "long-lived");
  EXPECT_TRUE(pull.reaches(&vtx_stats_t::expired, 1));
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, SettlesByDeliveryId) {
  put({"a", "b"});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at("ack=manual&properties=on"));
  const auto a = pull.receive_frames();
  const auto b = pull.receive_frames();
  ASSERT_TRUE(a && b);
  const std::string id = value_of(*a, "Delivery-Id");
  EXPECT_EQ(vtx_ack_id(world().vtx(), pull.get(), id.c_str()), 0) << vtx_last_error();
  EXPECT_EQ(vtx_nack_id(world().vtx(), pull.get(), value_of(*b, "Delivery-Id").c_str(), 0), 0) << vtx_last_error();
  const auto again = pull.receive_frames();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->front(), "b");
  EXPECT_EQ(value_of(*again, "Deliveries"), "2");
  EXPECT_EQ(value_of(*again, "Reason"), "nacked");
  EXPECT_EQ(vtx_ack_id(world().vtx(), pull.get(), value_of(*again, "Delivery-Id").c_str()), 0) << vtx_last_error();
  EXPECT_TRUE(drained());
  for (const char* gone : {id.c_str(), "", "1-2", "1-2-3-4", "a-b-c", "99999-1-1"}) {
    EXPECT_EQ(vtx_ack_id(world().vtx(), pull.get(), gone), -1) << gone;
    EXPECT_EQ(errno, ENOENT) << gone << ": " << vtx_last_error();
  }
}

TEST_P(LinkContract, SettlesByDeliveryIdWhatAckNextHasNotYet) {
  put({"a", "b"});
  Socket pull(world(), ZMQ_PULL);
  pull.connect(at("ack=next&properties=on"));
  const auto a = pull.receive_frames();  // copied and let go
  ASSERT_TRUE(a);
  EXPECT_EQ(vtx_nack_id(world().vtx(), pull.get(), value_of(*a, "Delivery-Id").c_str(), 0), 0) << vtx_last_error();
  std::map<std::string, std::string> deliveries;
  for (int i = 0; i < 2; ++i) {
    const auto message = pull.receive_frames();
    ASSERT_TRUE(message);
    deliveries[message->front()] = value_of(*message, "Deliveries");
    EXPECT_EQ(vtx_ack_id(world().vtx(), pull.get(), value_of(*message, "Delivery-Id").c_str()), 0) << vtx_last_error();
  }
  EXPECT_EQ(deliveries, (std::map<std::string, std::string>{{"a", "2"}, {"b", "1"}}));
  EXPECT_TRUE(drained());
}

TEST_P(LinkContract, AMessageGivenUpWhileItWaitsForRoomIsNotHandedOver) {
  put({"1", "2", "3"});
  Socket pull(world(), ZMQ_PULL);
  EventLog events(world(), pull);
  pull.set(ZMQ_RCVHWM, 1).connect(at("ack=manual&prefetch=10&hold=100ms&properties=on"));
  ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_HOLD_EXCEEDED));
  Socket other(world(), ZMQ_PULL);
  other.connect(at("ack=manual&prefetch=10"));
  for (int i = 0; i < 4; ++i) (void)pull.receive_frames(Ms{50});
}

TEST_P(LinkContract, TheFirstLiveMessageSaysSo) {
  publish({"old 1", "old 2"});
  for (const std::string options : {"properties=on&from=oldest", "properties=on&from=oldest&subscription=s"}) {
    Subscriber sub(world());
    EventLog events(world(), sub);
    sub.connect(at(options));
    const std::uint64_t before = show(world(), at()).head;
    for (std::uint64_t i = 0; i < before; ++i) {
      const auto old = sub.receive_frames();
      ASSERT_TRUE(old);
      EXPECT_EQ(value_of(*old, "Caught-Up"), "-") << options;
    }
    ASSERT_TRUE(events.wait(VTX_EVENT, VTX_EVENT_CAUGHT_UP));
    publish({"live", "and on"});
    const auto live = sub.receive_frames();
    ASSERT_TRUE(live);
    EXPECT_EQ(value_of(*live, "Caught-Up"), "yes") << options;
    const auto later = sub.receive_frames();
    ASSERT_TRUE(later);
    EXPECT_EQ(value_of(*later, "Caught-Up"), "-") << options;
  }
}

}  // namespace
}  // namespace vtx::test
