/* SPDX-License-Identifier: MPL-2.0 */
//
// The bytes that stand for each message on a connection, as this protocol's version has always had them. Programs of one version talk to each other
// whatever they were built with: who changes a byte raises kProtocolVersion, and then stores here what the tests print.
#include <gtest/gtest.h>

#include <bit>
#include <map>

#include "unit/remote_examples.hpp"

namespace vtx::remote {
namespace {

/// Whose bytes these are.
constexpr u32 kStoredVersion = 2;

/// FNV-1a.
u64 hash(Slice bytes) {
  u64 value = 14695981039346656037U;
  for (const std::byte byte : bytes) value = (value ^ static_cast<std::uint8_t>(byte)) * 1099511628211U;
  return value;
}

std::string hex(Slice bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[static_cast<int>(byte) >> 4];
    text += "0123456789abcdef"[static_cast<int>(byte) & 15];
  }
  return text;
}

/// Numbers go in the order of the machine.
constexpr bool kComparable = std::endian::native == std::endian::little;

TEST(RemoteGolden, TheBytesAreOfThisVersion) { EXPECT_EQ(kProtocolVersion, kStoredVersion); }

TEST(RemoteGolden, GreetingsAndGoodbyes) {
  if (!kComparable) GTEST_SKIP() << "stored on a little-endian machine";
  Bytes hello, welcome, refusal, goodbye;
  ASSERT_TRUE(write(hello, Hello{kMagic, 2, "1.2.3", true, {0x1122, 0x334455}}));
  EXPECT_EQ(hex(hello), "270000000156545853544f52450200000005000000312e322e330122110000000000005544330000000000");
  ASSERT_TRUE(write(welcome, Welcome{2, "1.2.3"}));
  EXPECT_EQ(hex(welcome), "0e000000020200000005000000312e322e33");
  ASSERT_TRUE(write_refusal(refusal, Status(Code::unsupported, "no", 3)));
  EXPECT_EQ(hex(refusal), "0c000000030b03000000020000006e6f");
  ASSERT_TRUE(write_goodbye(goodbye));
  EXPECT_EQ(hex(goodbye), "0100000006");
}

struct Golden {
  std::size_t size;
  u64 hash;
};

void expect_bytes(const Bytes& frame, const Golden& stored, const std::string& what) {
  EXPECT_TRUE(frame.size() == stored.size && hash(frame) == stored.hash)
      << what << " is now {" << frame.size() << ", " << hash(frame) << "U}: " << hex(frame);
}

TEST(RemoteGolden, Operations) {
  if (!kComparable) GTEST_SKIP() << "stored on a little-endian machine";
  static const std::map<Tag, Golden> golden{
      {1, {1491, 3940367974503351535U}}, {2, {185, 9758676763512436321U}},  {3, {53, 17184001105108655265U}},
      {4, {97, 11645650509379395201U}},  {5, {32, 10649641775783405583U}},  {6, {44, 3876119814745390661U}},
      {7, {30, 12646627608391439330U}},  {8, {52, 6739826221401687562U}},   {9, {22, 15339795248094694481U}},
      {10, {35, 2475449975562164712U}},  {11, {43, 15690749806781356954U}}, {12, {30, 5176145998943794159U}},
      {13, {30, 15247862096054022055U}}, {14, {27, 13206689303739317684U}}, {15, {72, 4725419334710194989U}},
      {16, {28, 10751310795273268182U}}, {17, {14, 4023113864798221568U}},
  };
  const auto examples = operations(true);
  EXPECT_EQ(golden.size(), examples.size());
  for (const auto& operation : examples) {
    Bytes frame;
    ASSERT_TRUE(write(frame, 0x0102030405060708, operation));
    const auto tag = static_cast<Tag>(frame.at(13));  // behind length, kind and ticket
    const auto found = golden.find(tag);
    expect_bytes(frame, found == golden.end() ? Golden{} : found->second, "operation " + std::to_string(tag));
  }
}

TEST(RemoteGolden, Answers) {
  if (!kComparable) GTEST_SKIP() << "stored on a little-endian machine";
  Bytes filled, empty;
  ASSERT_TRUE(write(filled, completion()));
  expect_bytes(filled, {2138, 3847555509073645784U}, "a full completion");
  ASSERT_TRUE(write(empty, driver::Completion()));
  expect_bytes(empty, {146, 15163124266305668337U}, "an empty completion");
}

/// The examples are filled in the order of the fields: they do not tell when two of one type are exchanged.
TEST(RemoteGolden, Places) {
  if (!kComparable) GTEST_SKIP() << "stored on a little-endian machine";
  driver::Commit commit;
  commit.counter = 1;
  commit.sync = false;
  driver::Message message;
  message.frames = 2;
  message.delay = driver::Ms{3};
  message.ttl = driver::Ms{4};
  message.origin = 5;
  message.seq = 6;
  message.stored = driver::StoreTime(driver::Ms{7});
  message.expires = driver::StoreTime(driver::Ms{8});
  commit.appends.push_back({9, {message}, "o", 0, 10, "p", 11});
  commit.settles.push_back({12, 13, {14}, {{15, driver::Verdict::nacked, driver::Ms{16}, "r"}}});
  commit.tallies.push_back({17, "w", 18});
  Bytes frame;
  ASSERT_TRUE(write(frame, 19, commit));
  EXPECT_EQ(
      hex(frame),
      "d800000004130000000000000001000000000000000000000000000000000100000000000000000100000009000000000000000100000000"
      "0000000200000000000000030000000000000004000000000000000500000000000000060000000000000007000000000000000800000000"
      "000000010000006f000000000a0000000000000001000000700b000000010000000c000000000000000d00000000000000010000000e0000"
      "0000000000010000000f000000041000000000000000010000007201000000110000000000000001000000771200000000000000");

  driver::Completion answer;
  answer.ticket = 1;
  answer.id = 2;
  answer.head = 3;
  answer.tail = 4;
  answer.first = 5;
  answer.count = 6;
  answer.retry_waiting = true;
  answer.room = {7, 8};
  driver::Claim& claim = answer.claim.emplace();
  claim.id = 9;
  claim.group = 10;
  claim.stream = 11;
  claim.first = 12;
  claim.last = 13;
  claim.delivery = 14;
  claim.priority = 15;
  answer.groups = {16};
  answer.streams = {17};
  answer.roomy = {18};
  answer.joined = {19};
  answer.went_back = true;
  frame.clear();
  ASSERT_TRUE(write(frame, answer));
  EXPECT_EQ(
      hex(frame),
      "e200000005010100000000000000000000000000000000020000000000000003000000000000000400000000000000050000000000000006"
      "0000000000000000000100000700000008000000000000000109000000000000000a000000000000000b000000000000000c000000000000"
      "000d000000000000000e000000000000000f0000000000000000000000000000000000000000000000000000000000000000000000000000"
      "0001000000100000000000000001000000110000000000000001000000120000000000000001000000130000000000000000000000000000"
      "000000000001");
}

TEST(RemoteGolden, Tags) {
  EXPECT_EQ(tag_of(Code::ok), 0);
  EXPECT_EQ(tag_of(Code::busy), 1);
  EXPECT_EQ(tag_of(Code::no_space), 2);
  EXPECT_EQ(tag_of(Code::full), 3);
  EXPECT_EQ(tag_of(Code::lost), 4);
  EXPECT_EQ(tag_of(Code::in_doubt), 5);
  EXPECT_EQ(tag_of(Code::fenced), 6);
  EXPECT_EQ(tag_of(Code::invalid), 7);
  EXPECT_EQ(tag_of(Code::denied), 8);
  EXPECT_EQ(tag_of(Code::not_found), 9);
  EXPECT_EQ(tag_of(Code::mismatch), 10);
  EXPECT_EQ(tag_of(Code::unsupported), 11);
  EXPECT_EQ(tag_of(Code::no_scheme), 12);
  EXPECT_EQ(tag_of(Code::newer_schema), 13);
  EXPECT_EQ(tag_of(Code::corrupt), 14);
  EXPECT_EQ(tag_of(Code::native), 15);
  EXPECT_EQ(tag_of(Code::internal), 16);
  EXPECT_EQ(tag_of(driver::Verdict::filtered), 1);
  EXPECT_EQ(tag_of(driver::Verdict::expired), 2);
  EXPECT_EQ(tag_of(driver::Verdict::dead), 3);
  EXPECT_EQ(tag_of(driver::Verdict::nacked), 4);
  EXPECT_EQ(tag_of(driver::Verdict::unseen), 5);
  EXPECT_EQ(tag_of(driver::Verb::dead_requeue), 1);
  EXPECT_EQ(tag_of(driver::Verb::dead_drop), 2);
  EXPECT_EQ(tag_of(driver::Verb::seek), 3);
  EXPECT_EQ(tag_of(driver::Verb::drop_group), 4);
  EXPECT_EQ(tag_of(driver::Verb::trim), 5);
  EXPECT_EQ(tag_of(driver::Event::answer), 1);
  EXPECT_EQ(tag_of(driver::Event::opened), 2);
  EXPECT_EQ(tag_of(driver::Event::lost), 3);
  EXPECT_EQ(tag_of(driver::Event::changed), 4);
  EXPECT_EQ(tag_of(driver::Finding::Level::ok), 1);
  EXPECT_EQ(tag_of(driver::Finding::Level::warning), 2);
  EXPECT_EQ(tag_of(driver::Finding::Level::error), 3);
}

}  // namespace
}  // namespace vtx::remote
