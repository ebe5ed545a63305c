/* SPDX-License-Identifier: MPL-2.0 */
//
// Frames over a socket, however they are cut up on their way, and the book of whose holders are whose.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <string>

#include "remote/holder_book.hpp"
#include "remote/inbox.hpp"
#include "remote/outbox.hpp"
#include "util/fd.hpp"

namespace vtx::remote {
namespace {

class RemoteConnection : public testing::Test {
 protected:
  RemoteConnection() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
    near_ = Fd(ends[0]);
    far_ = Fd(ends[1]);
  }
  void send(Slice bytes) const {
    ASSERT_EQ(::send(far_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  static Bytes question(u64 ticket, const std::string& queue) {
    Bytes out;
    EXPECT_TRUE(write(out, ticket, driver::Inspect{queue}));
    return out;
  }

  Fd near_, far_;
  Inbox inbox_;
};

TEST_F(RemoteConnection, FramesArriveWholeHoweverTheyAreCut) {
  Bytes all = question(1, "a");
  const Bytes second = question(2, std::string(1000, 'b'));
  all.insert(all.end(), second.begin(), second.end());
  std::vector<u64> tickets;
  for (const std::byte& byte : all) {
    send({&byte, 1});
    EXPECT_EQ(inbox_.fill(near_.get()), Inbox::State::drained);
    while (const auto frame = inbox_.next()) {
      Request request;
      EXPECT_EQ(frame->kind, Kind::request);
      ASSERT_TRUE(read(frame->content, request));
      tickets.push_back(request.ticket);
    }
  }
  EXPECT_EQ(tickets, (std::vector<u64>{1, 2}));
  EXPECT_FALSE(inbox_.broken());
}

TEST_F(RemoteConnection, WhatCameBeforeTheEndIsThere) {
  send(question(1, "a"));
  far_ = Fd();
  EXPECT_EQ(inbox_.fill(near_.get()), Inbox::State::ended);
  EXPECT_TRUE(inbox_.next());
  EXPECT_FALSE(inbox_.next());
  EXPECT_EQ(inbox_.fill(near_.get()), Inbox::State::ended);
}

TEST_F(RemoteConnection, LengthsThatNoFrameHasBreakIt) {
  for (const u32 length : {u32{0}, static_cast<u32>(kMaxFrame + 1), ~u32{0}}) {
    Inbox inbox;
    send(std::as_bytes(std::span(&length, 1)));
    EXPECT_EQ(inbox.fill(near_.get()), Inbox::State::drained);
    EXPECT_FALSE(inbox.next());
    EXPECT_TRUE(inbox.broken()) << length;
  }
}

TEST_F(RemoteConnection, LargeFramesGoThroughInTurns) {
  const Bytes large = question(7, std::string(std::size_t{20} << 20, 'x'));
  Outbox outbox;
  outbox.end() = large;
  EXPECT_EQ(outbox.appended(), large.size());
  for (int i = 0; i < 100'000 && !outbox.empty(); ++i) {
    ASSERT_TRUE(outbox.flush(far_.get()));
    EXPECT_NE(inbox_.fill(near_.get()), Inbox::State::ended);
  }
  EXPECT_EQ(outbox.left(), large.size());
  while (inbox_.fill(near_.get()) == Inbox::State::more) {
  }
  const auto frame = inbox_.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->content.size(), large.size() - 5);
}

TEST_F(RemoteConnection, MemoryForALargeFrameGoesWithIt) {
  const Bytes small = question(8, "b");
  Bytes large = question(7, std::string(std::size_t{20} << 20, 'x'));
  large.insert(large.end(), small.begin(), small.end() - 1);
  Outbox outbox;
  outbox.end() = large;
  for (int i = 0; i < 100'000 && !outbox.empty(); ++i) {
    ASSERT_TRUE(outbox.flush(far_.get()));
    EXPECT_NE(inbox_.fill(near_.get()), Inbox::State::ended);
  }
  while (inbox_.fill(near_.get()) == Inbox::State::more) {
  }
  EXPECT_GT(inbox_.capacity(), std::size_t{20} << 20);
  EXPECT_TRUE(inbox_.next());
  // The beginning of another one has come behind it, and nothing more is to come for long.
  EXPECT_FALSE(inbox_.next());
  EXPECT_LE(inbox_.capacity(), std::size_t{1} << 20);
  send(Slice(small).last(1));
  EXPECT_EQ(inbox_.fill(near_.get()), Inbox::State::drained);
  const auto frame = inbox_.next();
  ASSERT_TRUE(frame);
  EXPECT_TRUE(std::ranges::equal(frame->content, Slice(small).subspan(5)));
}

TEST_F(RemoteConnection, WhoIsGoneGetsNothing) {
  Outbox outbox;
  outbox.end() = question(1, "a");
  near_ = Fd();
  EXPECT_FALSE(outbox.flush(far_.get()));
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(outbox.left(), 0U);  // so nobody takes it for sent
}

driver::Completion answer(u64 ticket, driver::Id id, Code code = Code::ok) {
  driver::Completion one;
  one.ticket = ticket;
  one.id = id;
  one.status = Status(code, "");
  return one;
}

TEST(HolderBook, AHolderIsWhoseSessionItBeatInLast) {
  HolderBook book;
  book.asked(1, 5, driver::Beat{});
  book.asked(2, 5, driver::Check{});
  book.answered(2, answer(5, 77));
  book.answered(1, answer(5, 40));
  EXPECT_TRUE(book.has(1));
  EXPECT_FALSE(book.has(2));
  book.asked(2, 6, driver::Beat{40, {}});
  book.answered(2, answer(6, 40));
  EXPECT_TRUE(book.take(1).empty());
  EXPECT_EQ(book.take(2), std::vector<driver::Id>{40});
  EXPECT_TRUE(book.take(2).empty());
}

TEST(HolderBook, OneThatHasEndedIsNobodys) {
  HolderBook book;
  book.asked(1, 1, driver::Beat{});
  book.answered(1, answer(1, 40));
  book.asked(1, 2, driver::Beat{40, {}});
  book.answered(1, answer(2, 0, Code::fenced));
  EXPECT_TRUE(book.take(1).empty());
}

TEST(HolderBook, QuestionsEndWithTheirSession) {
  HolderBook book;
  book.asked(1, 1, driver::Beat{});
  book.forget_questions(1);
  book.answered(1, answer(1, 40));
  EXPECT_FALSE(book.has(1));
}

}  // namespace
}  // namespace vtx::remote
