/* SPDX-License-Identifier: MPL-2.0 */
//
// What goes over a connection between an owner and who is attached: every operation and every completion comes out as it went in, and nothing that
// is no such thing comes out at all.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "unit/remote_examples.hpp"

namespace vtx::remote {

namespace {

using driver::Completion;
using driver::Operation;

Bytes frame_of(const Operation& operation, u64 ticket = 7) {
  Bytes out;
  EXPECT_TRUE(write(out, ticket, operation));
  return out;
}
Bytes frame_of(const Completion& one) {
  Bytes out;
  EXPECT_TRUE(write(out, one));
  return out;
}
/// Behind length and kind.
Slice content(const Bytes& frame) { return Slice(frame).subspan(5); }

TEST(RemoteCodec, EveryOperationComesOutAsItWentIn) {
  for (const bool filled : {false, true}) {
    for (const Operation& operation : operations(filled)) {
      const Bytes frame = frame_of(operation);
      Request request;
      ASSERT_TRUE(read(content(frame), request)) << operation.index();
      EXPECT_EQ(request.ticket, 7U);
      EXPECT_EQ(request.operation.index(), operation.index());
      EXPECT_EQ(frame_of(request.operation), frame) << operation.index();
    }
  }
}

TEST(RemoteCodec, NoFilledOperationLooksLikeAnEmptyOne) {
  const auto empty = operations(false);
  const auto filled = operations(true);
  for (std::size_t i = 0; i < empty.size(); ++i) {
    if (std::holds_alternative<driver::Check>(empty[i])) continue;
    EXPECT_NE(frame_of(empty[i]), frame_of(filled[i])) << i;
  }
}

TEST(RemoteCodec, ACommitArrivesFieldByField) {
  driver::Commit commit;
  Filler().set(commit);
  Request request;
  const Bytes frame = frame_of(commit);
  ASSERT_TRUE(read(content(frame), request));
  const auto& got = std::get<driver::Commit>(request.operation);
  EXPECT_EQ(got.producer, commit.producer);
  EXPECT_EQ(got.counter, commit.counter);
  EXPECT_FALSE(got.sync);
  ASSERT_EQ(got.appends.size(), 3U);
  EXPECT_EQ(got.appends[1].peer, commit.appends[1].peer);
  ASSERT_EQ(got.appends[2].messages.size(), 3U);
  EXPECT_TRUE(std::ranges::equal(got.appends[2].messages[2].body, commit.appends[2].messages[2].body));
  EXPECT_EQ(got.appends[2].messages[2].ttl, commit.appends[2].messages[2].ttl);
  EXPECT_EQ(got.settles[1].done, commit.settles[1].done);
  EXPECT_EQ(got.settles[1].odd[0].verdict, driver::Verdict::unseen);
  EXPECT_EQ(got.tallies[2].what, commit.tallies[2].what);
}

TEST(RemoteCodec, BodiesOfAnOperationAreBorrowedFromTheFrame) {
  driver::Commit commit;
  Filler().set(commit);
  const Bytes frame = frame_of(commit);
  Request request;
  ASSERT_TRUE(read(content(frame), request));
  const Slice body = std::get<driver::Commit>(request.operation).appends[0].messages[0].body;
  EXPECT_GE(body.data(), frame.data());
  EXPECT_LE(body.data() + body.size(), frame.data() + frame.size());
}

TEST(RemoteCodec, EveryCompletionComesOutAsItWentIn) {
  for (const Completion& one : {Completion(), completion()}) {
    const Bytes frame = frame_of(one);
    Completion got;
    ASSERT_TRUE(read(content(frame), got));
    EXPECT_EQ(frame_of(got), frame);
  }
}

TEST(RemoteCodec, BodiesOfACompletionLieInItsBuffer) {
  Bytes frame = frame_of(completion());
  Completion got;
  ASSERT_TRUE(read(content(frame), got));
  std::ranges::fill(frame, std::byte{0xee});
  ASSERT_EQ(got.messages.size(), 3U);
  EXPECT_EQ(got.buffer.size, 3 * (std::size_t{15} + std::string_view("Name: value\n").size()));
  const std::byte* end = got.buffer.bytes.get() + got.buffer.size;
  for (const auto& message : got.messages) {
    EXPECT_TRUE(std::ranges::equal(message.body, std::as_bytes(std::span("a body\0of bytes", 15))));
    EXPECT_EQ(message.properties, "Name: value\n");
    EXPECT_GE(message.body.data(), got.buffer.bytes.get());
    EXPECT_LE(reinterpret_cast<const std::byte*>(message.properties.data() + message.properties.size()), end);
  }
}

TEST(RemoteCodec, EveryEnumeratorHasATagOfItsOwn) {
  const auto round_trip = []<Tagged E>(E last) {
    for (int i = 0; i <= static_cast<int>(last); ++i) {
      E got{};
      EXPECT_TRUE(from_tag(tag_of(static_cast<E>(i)), got)) << i;
      EXPECT_EQ(static_cast<int>(got), i);
    }
    E got{};
    EXPECT_FALSE(from_tag(kNoTag, got));
    EXPECT_FALSE(from_tag(200, got));
  };
  round_trip(Code::internal);
  round_trip(driver::Verdict::unseen);
  round_trip(driver::Verb::trim);
  round_trip(driver::Event::changed);
  round_trip(driver::Finding::Level::error);
}

// --- what is no such thing

/// Reads `in` as everything that could come.
int count_readable(Slice in) {
  Hello hello;
  Welcome welcome;
  Status refusal;
  Request request;
  Completion one;
  return read(in, hello) + read(in, welcome) + read_refusal(in, refusal) + read(in, request) + read(in, one);
}

/// False for each beginning of it but the whole, in memory of just that size, so that a sanitizer sees who reads on.
template <class What>
void expect_only_whole(const Bytes& frame) {
  const Slice whole = content(frame);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    What what;
    EXPECT_EQ(read(Slice(cut), what), size == whole.size()) << size;
  }
}

TEST(RemoteCodec, CutShortItIsNothing) {
  expect_only_whole<Completion>(frame_of(completion()));
  expect_only_whole<Completion>(frame_of(Completion()));
  for (const Operation& operation : operations(true)) expect_only_whole<Request>(frame_of(operation));
}

TEST(RemoteCodec, WithAByteTooManyItIsNothing) {
  for (const Operation& operation : operations(true)) {
    Bytes frame = frame_of(operation);
    frame.push_back(std::byte{0});
    Request request;
    EXPECT_FALSE(read(content(frame), request)) << operation.index();
  }
}

TEST(RemoteCodec, RubbishNeitherCrashesNorGrows) {
  std::mt19937_64 random(20'240'517);
  std::vector<Bytes> frames{frame_of(completion())};
  for (const Operation& operation : operations(true)) frames.push_back(frame_of(operation));
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes;
    if (i % 2 == 0) {
      bytes.resize(random() % 300);
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % 4 == 0 ? random() : random() % 20);
    } else {
      const Slice whole = content(frames[random() % frames.size()]);
      bytes.assign(whole.begin(), whole.end());
      for (int n = 0; n < 3; ++n) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    (void)count_readable(bytes);
  }
}

TEST(RemoteCodec, ALengthThatIsALieMakesNothingGrow) {
  driver::Inspect inspect;
  inspect.queue = "q";
  Bytes frame = frame_of(inspect);
  for (std::size_t i = 14; i < 18; ++i) frame[i] = std::byte{0xff};  // behind length, kind, ticket, operation
  Request request;
  EXPECT_FALSE(read(content(frame), request));

  driver::Commit commit;
  frame = frame_of(commit);
  for (std::size_t i = frame.size() - 12; i < frame.size(); ++i) frame[i] = std::byte{0xff};
  EXPECT_FALSE(read(content(frame), request));
}

TEST(RemoteCodec, WhatNoEngineAsksIsRefused) {
  const auto readable = [](const Operation& operation, u64 ticket = 1) {
    Request request;
    const Bytes frame = frame_of(operation, ticket);
    return read(content(frame), request);
  };
  EXPECT_TRUE(readable(driver::Check()));
  EXPECT_FALSE(readable(driver::Check(), 0));
  driver::Commit commit;
  commit.appends.resize(1);
  EXPECT_TRUE(readable(commit));
  commit.appends[0].only_if = 0;
  EXPECT_FALSE(readable(commit));
  commit.settles.resize(1);
  EXPECT_TRUE(readable(commit));
  commit.appends[0].only_if = -2;
  EXPECT_FALSE(readable(commit));
  commit.appends[0].only_if = -1;
  commit.appends[0].messages.resize(driver::kMaxBatch);
  EXPECT_TRUE(readable(commit));
  commit.appends[0].messages.resize(driver::kMaxBatch + 1);
  EXPECT_FALSE(readable(commit));
}

TEST(RemoteCodec, TooLongAFrameIsNotWritten) {
  static const std::byte one{};
  driver::Commit commit;
  commit.appends.resize(1);
  commit.appends[0].messages.resize(1);
  // Nobody looks at the bytes of what is too long.
  commit.appends[0].messages[0].body = {&one, kMaxFrame + 1};
  Bytes out{std::byte{1}};
  EXPECT_FALSE(write(out, 1, commit));
  EXPECT_EQ(out.size(), 1U);
}

TEST(RemoteCodec, AnotherProtocolIsRecognised) {
  Bytes out;
  Hello hello;
  hello.protocol = kProtocolVersion + 1;
  hello.version = "9.9.9";
  EXPECT_TRUE(write(out, hello));
  out.insert(out.end(), 20, std::byte{0x55});  // whatever that protocol says further
  Hello got;
  ASSERT_TRUE(read(content(out), got));
  EXPECT_EQ(got.protocol, kProtocolVersion + 1);
  EXPECT_EQ(got.version, "9.9.9");

  hello.magic ^= 1;
  out.clear();
  EXPECT_TRUE(write(out, hello));
  EXPECT_FALSE(read(content(out), got));
}

TEST(RemoteCodec, GreetingsAndRefusalsComeOutAsTheyWentIn) {
  Bytes out;
  EXPECT_TRUE(write_refusal(out, Status(Code::unsupported, "no", 3)));
  Status status;
  ASSERT_TRUE(read_refusal(content(out), status));
  EXPECT_EQ(status.code(), Code::unsupported);
  EXPECT_EQ(status.text(), "no");
  EXPECT_EQ(status.native(), 3);

  out.clear();
  Welcome welcome;
  welcome.version = library_version();
  EXPECT_TRUE(write(out, welcome));
  Welcome got;
  ASSERT_TRUE(read(content(out), got));
  EXPECT_EQ(got.version, library_version());
  EXPECT_EQ(got.protocol, kProtocolVersion);

  out.clear();
  EXPECT_TRUE(write_goodbye(out));
  EXPECT_EQ(out.size(), 5U);
}

}  // namespace
}  // namespace vtx::remote
