/* SPDX-License-Identifier: MPL-2.0 */
//
// What a pattern knows of requests, replies and the names of peers.
#include "pattern/request.hpp"

#include <gtest/gtest.h>

#include "codec/properties.hpp"
#include "pattern/peer.hpp"
#include "vtx/driver/names.hpp"

namespace vtx {
namespace {

std::vector<Frame> frames(const std::vector<std::string>& texts) {
  std::vector<Frame> all;
  for (const std::string& text : texts) all.push_back(std::as_bytes(std::span(text)));
  return all;
}

std::string reply_to(const std::string& request) {
  std::string reply;
  add_property(reply, kRequestId, property_of(request, kRequestId));
  return reply;
}

TEST(RequestTest, TheBodyIsBehindTheFirstEmptyFrame) {
  const std::vector<std::string> plain{"", "body"};
  const std::vector<std::string> addressed{"a", "b", "", "body", "", "more"};
  const std::vector<std::string> empty_body{"", ""};
  const std::vector<std::string> no_delimiter{"a", "b"};
  const std::vector<std::string> no_body{"a", ""};
  EXPECT_EQ(first_body_frame(frames(plain)), 1U);
  EXPECT_EQ(first_body_frame(frames(addressed)), 3U);
  EXPECT_EQ(first_body_frame(frames(empty_body)), 1U);
  EXPECT_EQ(first_body_frame(frames(no_delimiter)), std::nullopt);
  EXPECT_EQ(first_body_frame(frames(no_body)), std::nullopt);
  EXPECT_EQ(first_body_frame({}), std::nullopt);
}

TEST(RequestTest, OnlyTheReplyToTheOutstandingRequestIsTakenAndOnce) {
  Asker asker("desk");
  EXPECT_FALSE(asker.take_reply(""));
  const std::string first = asker.next_request();
  EXPECT_EQ(property_of(first, kReplyTo), "desk");
  EXPECT_FALSE(asker.take_reply("")) << "a reply that answers nothing";
  EXPECT_TRUE(asker.take_reply(reply_to(first)));
  EXPECT_FALSE(asker.take_reply(reply_to(first)));
  const std::string second = asker.next_request();
  const std::string third = asker.next_request();
  EXPECT_FALSE(asker.take_reply(reply_to(second))) << "the last request counts";
  EXPECT_TRUE(asker.take_reply(reply_to(third)));
}

TEST(RequestTest, AnAskerKnowsNoRequestOfAnEarlierLife) {
  Asker before("desk");
  Asker after("desk");
  const std::string old = before.next_request();
  (void)after.next_request();
  EXPECT_FALSE(after.take_reply(reply_to(old)));
}

TEST(RequestTest, AddressesComeBackAsTheyWent) {
  const RequestAddress address{42, std::uint64_t{1} << 60};
  const AddressFrame frame = encode(address);
  EXPECT_EQ(parse_address(frame), address);
  EXPECT_EQ(parse_address(Frame(frame).first(15)), std::nullopt);
  EXPECT_EQ(parse_address({}), std::nullopt);
}

TEST(PeerTest, RoutingIdsBecomeText) {
  EXPECT_EQ(peer_name("desk-1.a_b"), "desk-1.a_b");
  EXPECT_EQ(peer_name(std::string_view("a/b~\0\xff", 6)), "a%2Fb%7E%00%FF");
}

TEST(PeerTest, AnonymousNamesAreNobodysRoutingId) {
  const std::string one = anonymous_peer();
  EXPECT_NE(one, anonymous_peer());
  EXPECT_TRUE(driver::is_anonymous(one));
  EXPECT_FALSE(driver::is_anonymous(peer_name(one)));
}

TEST(NamesTest, GroupsAreNamedByWhatTheyRead) {
  using driver::GroupName;
  for (const GroupName& group :
       {GroupName{"main", "", "default"}, GroupName{"up", "", "default"}, GroupName{"mailbox", "desk%2F1", "default"}})
    EXPECT_EQ(driver::parse_group_name(to_text(group)), group);
  EXPECT_EQ(to_text(GroupName{"main", "", "a"}), "a");
  EXPECT_EQ(to_text(GroupName{"up", "", "a"}), "up/a");
  EXPECT_EQ(to_text(GroupName{"mailbox", "b", "a"}), "mailbox:b/a");
}

TEST(NamesTest, HoldsOfPeersTellTheirPeer) {
  EXPECT_EQ(driver::peer_of_hold(driver::hold_of_peer("desk")), "desk");
  EXPECT_EQ(driver::peer_of_hold("pair:up"), "");
}

}  // namespace
}  // namespace vtx
