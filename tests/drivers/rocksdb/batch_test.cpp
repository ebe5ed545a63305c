/* SPDX-License-Identifier: MPL-2.0 */
//
// A batch of messages as it lies on the disk, and what is made of one that was damaged in a way that RocksDB's checksums do not notice.
#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "message_log.hpp"

namespace vtx::rocks::test {
namespace {

struct Text {
  std::string body, properties;
  u64 frames = 1, expires = 0;
};

std::string value_of(const std::vector<Text>& messages) {
  std::string value, rest;
  for (const u64 number : {u64{2}, u64{messages.size()}, u64{1234}, u64{77}}) put_number(value, number);
  for (const Text& message : messages) {
    for (const u64 number : {message.frames, message.expires, u64{message.body.size()}, u64{message.properties.size()}})
      put_number(value, number);
    rest += message.body + message.properties;
  }
  return value + rest;
}

const std::vector<Text> kMessages{{"one", "", 1, 0},
                                  {"", "", 1, 0},
                                  {std::string(300, 'x'), "A: b\n", 3, 5678},
                                  {"", "C: d\n", 1, 0},
                                  {std::string(127, 'y'), "", 1, 0}};

TEST(BatchTest, SaysWhatIsInIt) {
  const std::string key = key_of(u64{3}, u64{104}), value = value_of(kMessages);
  Batch batch(key, value);
  EXPECT_EQ(batch.first(), 100U);
  EXPECT_EQ(batch.last(), 104U);
  EXPECT_EQ(batch.before(), 77U);
  EXPECT_EQ(batch.bodies(), 3U + 300 + 127);
  EXPECT_EQ(batch.bodies_before(102), 3U);
  EXPECT_EQ(batch.bodies_before(103), 303U);
  EXPECT_EQ(batch.stored(), StoreTime(Ms(1234)));
  Seq seq = 100;
  for (const Text& expected : kMessages) {
    const StoredMessage* message = batch.next();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->seq, seq++);
    EXPECT_EQ(message->body, expected.body);
    EXPECT_EQ(message->properties, expected.properties);
    EXPECT_EQ(message->frames, expected.frames);
    EXPECT_EQ(message->expires, StoreTime(Ms(static_cast<Ms::rep>(expected.expires))));
    EXPECT_EQ(message->stored, StoreTime(Ms(1234)));
  }
  EXPECT_FALSE(batch.next());
}

TEST(BatchTest, IsOneToTheLastByteOrNone) {
  const std::string key = key_of(u64{3}, u64{104}), value = value_of(kMessages);
  for (std::size_t size = 0; size < value.size(); ++size)
    EXPECT_THROW(Batch(key, std::string_view(value).substr(0, size)), DiskError) << size;
  EXPECT_THROW(Batch(key, value + "."), DiskError);
  EXPECT_THROW(Batch(key.substr(1), value), DiskError);
  EXPECT_THROW(Batch(key_of(u64{3}, u64{4}), value), DiskError) << "sequences begin with 1";
}

TEST(BatchTest, NothingLeadsOutOfDamagedBytes) {
  const std::string key = key_of(u64{3}, u64{104}), sound = value_of(kMessages);
  std::minstd_rand random(7);
  int understood = 0;
  for (int round = 0; round < 20'000; ++round) {
    // Of its exact size, so that a sanitizer sees what goes beyond it.
    const std::unique_ptr<char[]> bytes = std::make_unique<char[]>(sound.size());
    sound.copy(bytes.get(), sound.size());
    for (auto changes = 1 + random() % 3; changes > 0; --changes) bytes[random() % 40] = static_cast<char>(random());
    const std::string_view value(bytes.get(), sound.size());
    try {
      Batch batch(key, value);
      while (const StoredMessage* message = batch.next()) {
        EXPECT_GE(message->body.data(), value.data());
        EXPECT_LE(message->properties.data() + message->properties.size(), value.data() + value.size());
      }
      ++understood;
    } catch (const DiskError& error) {
      EXPECT_EQ(error.status.code(), Code::corrupt);
    }
  }
  EXPECT_GT(understood, 0);
}

}  // namespace
}  // namespace vtx::rocks::test
