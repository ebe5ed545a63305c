/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/frames.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <string>
#include <string_view>

#include "support/random.hpp"

namespace vtx::test {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes(std::string_view text) {
  Bytes all(text.size());
  std::transform(text.begin(), text.end(), all.begin(), [](char c) { return static_cast<std::byte>(c); });
  return all;
}

std::string text_of(Frame frame) {
  std::string all(frame.size(), '\0');
  std::transform(frame.begin(), frame.end(), all.begin(), [](std::byte b) { return static_cast<char>(b); });
  return all;
}

Bytes encoded(const std::vector<Bytes>& parts) {
  const std::vector<Frame> frames(parts.begin(), parts.end());
  Bytes body(body_size(frames).value());
  encode_frames(frames, body);
  return body;
}

TEST(Frames, StoreASingleFrameAsItIs) {
  EXPECT_EQ(encoded({bytes("hello")}), bytes("hello"));
  EXPECT_EQ(encoded({Bytes{}}), Bytes{});
}

TEST(Frames, PrecedeEachOfSeveralByItsLengthBigEndian) {
  EXPECT_EQ(encoded({bytes("ab"), Bytes{}, bytes("c")}), bytes(std::string_view("\0\0\0\2ab\0\0\0\0\0\0\0\1c", 15)));
  const Bytes large = encoded({Bytes(0x01020304), Bytes{}});
  EXPECT_EQ(text_of(Frame(large).first(4)), "\1\2\3\4");
}

TEST(Frames, ComeBackAsTheyWent) {
  const std::vector<Bytes> parts{Bytes{}, bytes(std::string_view("a\0b", 3)), Bytes{}, Bytes(70'000, std::byte{7})};
  const Bytes body = encoded(parts);
  std::vector<Frame> out(3);  // left over from before
  ASSERT_TRUE(decode_frames(body, 4, out));
  ASSERT_EQ(out.size(), parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) EXPECT_TRUE(std::ranges::equal(out[i], parts[i])) << i;
  EXPECT_GE(out[1].data(), body.data()) << "slices of the body, no copies";
  ASSERT_TRUE(decode_frames(Frame(), 1, out));
  EXPECT_EQ(out.size(), 1U);
}

TEST(Frames, RefuseWhatCannotBeWritten) {
  EXPECT_EQ(body_size({}), std::nullopt);
  const std::byte one{};
  const Frame huge(&one, std::size_t{1} << 32);  // never read
  const std::vector<Frame> several{huge, Frame()}, single{huge};
  EXPECT_EQ(body_size(several), std::nullopt);
  EXPECT_EQ(body_size(single), std::size_t{1} << 32);
}

TEST(Frames, RefuseDamage) {
  const Bytes body = encoded({bytes("ab"), bytes("c")});
  std::vector<Frame> out;
  EXPECT_FALSE(decode_frames(body, 0, out)) << "no message has no frames";
  EXPECT_FALSE(decode_frames(body, 3, out)) << "one frame missing";
  EXPECT_FALSE(decode_frames(body, 4'000'000'000U, out)) << "and nothing reserved for so many";
  EXPECT_FALSE(decode_frames(encoded({bytes("ab"), bytes("c"), bytes("d")}), 2, out)) << "bytes left over";
  for (std::size_t length = 0; length < body.size(); ++length) {
    EXPECT_FALSE(decode_frames(Bytes(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(length)), 2, out))
        << length;
    EXPECT_TRUE(out.empty());
  }
  Bytes longer = body;
  longer[0] = std::byte{0xff};
  EXPECT_FALSE(decode_frames(longer, 2, out));
}

/// Whatever the damage: refused, or slices that lie inside and account for every byte. The sanitizers watch the reads.
TEST(Frames, StayInsideWhateverTheDamage) {
  Chance chance;
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<Bytes> parts(2 + chance.below(4));
    for (Bytes& part : parts) part.assign(chance.below(9), static_cast<std::byte>(chance.below(256)));
    Bytes body = encoded(parts);
    for (auto hits = chance.below(3); hits > 0; --hits)
      body[chance.below(body.size())] = static_cast<std::byte>(chance.below(256));
    body.resize(body.size() - chance.below(3) * (chance.below(2)));
    body.shrink_to_fit();  // so that a read beyond the end is seen
    const auto count = static_cast<driver::u32>(parts.size() + (chance.below(8) == 0 ? chance.below(3) : 0));
    std::vector<Frame> out;
    if (!decode_frames(body, count, out)) {
      ++refused;
      EXPECT_TRUE(out.empty());
      continue;
    }
    ASSERT_EQ(out.size(), count);
    std::size_t total = 0;
    for (const Frame frame : out) {
      ASSERT_GE(frame.data(), body.data());
      ASSERT_LE(frame.data() + frame.size(), body.data() + body.size());
      total += 4 + frame.size();
    }
    EXPECT_EQ(total, body.size());
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace vtx::test
