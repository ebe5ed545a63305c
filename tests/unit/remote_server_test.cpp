/* SPDX-License-Identifier: MPL-2.0 */
//
// The owner's side of a shared store at its edges, on a database that is made up and a clock that stands still: what is polled when, what is asked at most,
// who may come, and a socket whose file somebody removed.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "remote/remote_store.hpp"
#include "remote/server.hpp"
#include "support/directory.hpp"
#include "support/manual_clock.hpp"

namespace vtx::remote {
namespace {

using driver::Completion;
using driver::Ms;
using driver::Operation;

/// What a made-up database does, and what it saw.
struct Script {
  Ms next_poll = Ms::max();      ///< what its sessions say
  bool answers = true;           ///< else it keeps what it is asked
  std::size_t answer_bytes = 0;  ///< how much there is in an answer
  std::vector<Operation> asked;
  std::size_t most_at_once = 0;
  int polls = 0;
  std::vector<driver::Id> ended;  ///< holders
};

class ScriptedSession final : public driver::Store {
 public:
  explicit ScriptedSession(Script& script) : script_(script) {}
  Status start(const driver::Endpoint&, bool) override {
    Completion opened;
    opened.event = driver::Event::opened;
    news_.push_back(std::move(opened));
    bell_.ring();
    return {};
  }
  void submit(u64 ticket, Operation operation) override {
    Completion answer;
    answer.ticket = ticket;
    if (const auto* beat = std::get_if<driver::Beat>(&operation)) answer.id = beat->holder;
    answer.filter.assign(script_.answer_bytes, 'x');
    script_.asked.push_back(std::move(operation));
    pending_.push_back(std::move(answer));
    script_.most_at_once = std::max(script_.most_at_once, pending_.size());
    bell_.ring();
  }
  void poll(std::vector<Completion>& out) override {
    ++script_.polls;
    bell_.clear();
    for (auto* from : {&news_, &pending_}) {
      if (from == &pending_ && !script_.answers) continue;
      std::ranges::move(*from, std::back_inserter(out));
      from->clear();
    }
  }
  int fd() const override { return bell_.fd(); }
  Ms next_poll() const override { return script_.next_poll; }
  void stop() override {}

 private:
  Script& script_;
  Bell bell_;
  std::vector<Completion> news_, pending_;
};

class ScriptedDatabase final : public driver::OwnedDatabase {
 public:
  explicit ScriptedDatabase(Script& script) : script_(script) {}
  std::unique_ptr<driver::Store> session(const std::string&) override {
    return std::make_unique<ScriptedSession>(script_);
  }
  void end_holders(std::span<const driver::Id> holders) override {
    script_.ended.insert(script_.ended.end(), holders.begin(), holders.end());
  }

 private:
  Script& script_;
};

/// Of a database that is a directory.
driver::Endpoint make_at(const std::string& path) {
  std::filesystem::create_directory(path);
  driver::Endpoint endpoint;
  endpoint.text = "memory:" + path;
  endpoint.path = path;
  return endpoint;
}

#ifdef __SANITIZE_ADDRESS__
constexpr bool kNeedsDescriptors = true;
#else
constexpr bool kNeedsDescriptors = false;
#endif

class RemoteServer : public testing::Test {
 protected:
  static Listener listen(const std::string& name) {
    auto listener = Listener::open(name);
    EXPECT_TRUE(listener) << listener.error().text();
    return std::move(*listener);
  }
  void turn() {
    server_.receive();
    server_.answer();
  }
  /// Turns of both until nothing happens any more.
  std::vector<Completion> settle(RemoteStore& guest) {
    std::vector<Completion> out;
    for (int idle = 0; idle < 3; ++idle) {
      pollfd news{server_.fd(), POLLIN, 0};
      if (::poll(&news, 1, 0) > 0 || server_.next_poll() == Ms{0}) idle = 0;
      turn();
      const std::size_t before = out.size();
      guest.poll(out);
      if (out.size() != before) idle = 0;
    }
    return out;
  }
  std::unique_ptr<RemoteStore> attach() {
    auto guest = std::make_unique<RemoteStore>(clock_);
    EXPECT_TRUE(guest->start(endpoint_, true).ok());
    const auto said = settle(*guest);
    EXPECT_EQ(said.size(), 1U);
    EXPECT_TRUE(!said.empty() && said[0].event == driver::Event::opened);
    return guest;
  }

  const test::Directory directory_;
  const driver::Endpoint endpoint_ = make_at(directory_.path("db"));
  const std::string name_ = directory_.path("db-vtx.sock");
  test::ManualClock clock_;
  Script script_;
  ScriptedDatabase database_{script_};
  HolderBook book_;
  Server server_{listen(name_), database_, book_, endpoint_, clock_};
};

// --- the socket's file

TEST_F(RemoteServer, ASocketWhoseFileWasRemovedIsMadeAgain) {
  const auto before = attach();
  std::filesystem::remove(name_);
  EXPECT_LE(server_.next_poll(), Ms{1000});
  clock_.advance(server_.next_poll());
  turn();
  const auto after = attach();
  before->submit(1, driver::Check{});
  EXPECT_EQ(settle(*before).size(), 1U);  // and nobody was sent away
  EXPECT_GT(server_.next_poll(), Ms{0});
}

TEST_F(RemoteServer, WhatHasTheSocketsNameNowIsLeftAlone) {
  std::filesystem::remove(name_);
  std::ofstream(name_) << "precious";
  clock_.advance(Ms{1000});
  turn();
  EXPECT_EQ(std::filesystem::file_size(name_), 8U);
  const Listener other = listen(name_ + "2");
  std::filesystem::rename(name_ + "2", name_);
  clock_.advance(Ms{1000});
  turn();
  EXPECT_TRUE(connect_to(name_));
  EXPECT_TRUE(Fd(::accept4(other.fd(), nullptr, nullptr, SOCK_CLOEXEC)).valid());
}

// --- who may come

TEST_F(RemoteServer, WhoMeansAnotherDatabaseIsSentAway) {
  std::filesystem::rename(endpoint_.path, directory_.path("moved"));
  std::filesystem::create_directory(endpoint_.path);
  RemoteStore guest(clock_);
  ASSERT_TRUE(guest.start(endpoint_, true).ok());
  const auto said = settle(guest);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].event, driver::Event::lost);
  EXPECT_EQ(said[0].status.code(), Code::lost);
  EXPECT_NE(said[0].status.text().find(endpoint_.path), std::string::npos) << said[0].status.text();
  EXPECT_NE(said[0].status.text().find("process"), std::string::npos) << said[0].status.text();
}

TEST_F(RemoteServer, ThereIsAMostOfWhoMayBeAttached) {
  std::vector<Fd> others;
  for (std::size_t i = 0; i < Server::kMostGuests; ++i) {
    auto connected = connect_to(name_);
    ASSERT_TRUE(connected) << connected.error().text();
    others.push_back(std::move(*connected));
    turn();
  }
  RemoteStore guest(clock_);
  ASSERT_TRUE(guest.start(endpoint_, true).ok());
  const auto said = settle(guest);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].event, driver::Event::lost);
  EXPECT_NE(said[0].status.text().find("256 sessions"), std::string::npos) << said[0].status.text();
  others.pop_back();
  turn();
  attach();
}

/// As if only so many descriptors more could be had.
class Descriptors {
 public:
  explicit Descriptors(int spare) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const int next = ::dup(0);
    ::close(next);
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(next + spare);
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~Descriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_F(RemoteServer, WithoutDescriptorsItDoesNotSpinAndTakesThemLater) {
  if (kNeedsDescriptors)
    GTEST_SKIP() << "UBSan looks at objects through a pipe, for which there are no descriptors here";
  RemoteStore guest(clock_);
  ASSERT_TRUE(guest.start(endpoint_, true).ok());
  {
    const Descriptors none(0);
    turn();
  }
  pollfd news{server_.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&news, 1, 0), 0);
  const Ms wait = server_.next_poll();
  EXPECT_GT(wait, Ms{0});
  EXPECT_LE(wait, Ms{1000});
  clock_.advance(wait);
  const auto said = settle(guest);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].event, driver::Event::opened);
}

TEST_F(RemoteServer, WhoseProcessCannotBeWatchedForNowIsSentAway) {
  if (kNeedsDescriptors)
    GTEST_SKIP() << "UBSan looks at objects through a pipe, for which there are no descriptors here";
  auto guest = connect_to(name_);
  ASSERT_TRUE(guest) << guest.error().text();
  {
    const Descriptors one(1);  // for the connection
    turn();
  }
  std::array<std::byte, 1024> said{};
  const ssize_t size = ::recv(guest->get(), said.data(), said.size(), MSG_DONTWAIT);
  ASSERT_GT(size, 5);
  Status why;
  ASSERT_TRUE(read_refusal(Slice(said.data(), static_cast<std::size_t>(size)).subspan(5), why));
  EXPECT_EQ(why.code(), Code::lost);
}

// --- sessions

TEST_F(RemoteServer, ASessionIsPolledWhenItSaidSo) {
  script_.next_poll = Ms{40};
  const auto guest = attach();
  const int polls = script_.polls;
  turn();
  EXPECT_EQ(script_.polls, polls);
  EXPECT_EQ(server_.next_poll(), Ms{40});
  clock_.advance(Ms{40});
  EXPECT_EQ(server_.next_poll(), Ms{0});
  turn();
  EXPECT_EQ(script_.polls, polls + 1);
  EXPECT_EQ(server_.next_poll(), Ms{40});
}

// --- memory

TEST_F(RemoteServer, LongAnswersAreAskedForFewAtATime) {
  const auto guest = attach();
  script_.answer_bytes = std::size_t{1} << 16;
  constexpr u64 kQuestions = 40;
  for (u64 i = 1; i <= kQuestions; ++i) {
    if (i % 4 == 0) guest->submit(i, driver::Inspect{});
    if (i % 4 == 1) guest->submit(i, driver::ListPeers{});
    if (i % 4 == 2) guest->submit(i, driver::Beat{});
    if (i % 4 == 3) guest->submit(i, driver::Check{});
  }
  std::size_t answers = 0;
  for (int i = 0; i < 10'000 && answers < kQuestions; ++i) {
    std::vector<Completion> out;
    guest->poll(out);
    answers += out.size();
    turn();
  }
  EXPECT_EQ(answers, kQuestions);
  EXPECT_LE(script_.most_at_once, 4U);
}

TEST_F(RemoteServer, AQuestionWithoutAnswerHasAWeight) {
  const auto guest = attach();
  script_.answers = false;
  for (u64 i = 1; i <= 20'000; ++i) guest->submit(i, driver::StopWaiting{1});
  EXPECT_TRUE(settle(*guest).empty());
  EXPECT_GT(script_.most_at_once, 1000U);
  EXPECT_LE(script_.most_at_once, Guest::kFull / (sizeof(Operation) + sizeof(Completion)) + 1);
}

TEST_F(RemoteServer, LimitsAreNoLargerThanABatch) {
  const auto guest = attach();
  const driver::Limit all{~u32{0}, ~u64{0}};
  guest->submit(1, driver::Read{1, 1, all});
  guest->submit(2, driver::ClaimNext{1, 1, all});
  guest->submit(3, driver::Read{1, 1, {7, 8}});
  EXPECT_EQ(settle(*guest).size(), 3U);
  ASSERT_EQ(script_.asked.size(), 3U);
  EXPECT_EQ(std::get<driver::Read>(script_.asked[0]).limit.messages, driver::kMaxBatch);
  EXPECT_EQ(std::get<driver::Read>(script_.asked[0]).limit.bytes, driver::kMaxBatchBytes);
  EXPECT_EQ(std::get<driver::ClaimNext>(script_.asked[1]).limit.messages, driver::kMaxBatch);
  EXPECT_EQ(std::get<driver::ClaimNext>(script_.asked[1]).limit.bytes, driver::kMaxBatchBytes);
  EXPECT_EQ(std::get<driver::Read>(script_.asked[2]).limit.messages, 7U);
  EXPECT_EQ(std::get<driver::Read>(script_.asked[2]).limit.bytes, 8U);
}

TEST_F(RemoteServer, WhoIsCutOffAgainAndAgainIsNotWatchedWithoutEnd) {
  const auto descriptors = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  };
  const std::size_t before = descriptors();
  for (std::size_t i = 1; i <= Server::kMostGuests + 10; ++i) {
    const auto guest = connect_to(name_);
    ASSERT_TRUE(guest) << guest.error().text();
    Outbox said;
    ASSERT_TRUE(write(said.end(), Hello{}));
    ASSERT_TRUE(write(said.end(), 1, driver::Beat{i, Ms{5000}}));
    ASSERT_TRUE(said.flush(guest->get()));
    turn();
    turn();
    (void)::shutdown(guest->get(), SHUT_RDWR);  // without goodbye: its holder may come back
    turn();
  }
  EXPECT_GT(descriptors(), before + Server::kMostGuests / 2);
  EXPECT_LE(descriptors(), before + Server::kMostGuests);
  attach();
}

// --- the end

TEST_F(RemoteServer, AGoodbyeThatWaitsIsHeardBeforeTheEnd) {
  const auto guest = attach();
  guest->submit(1, driver::Beat{77, Ms{5000}});
  EXPECT_EQ(settle(*guest).size(), 1U);
  guest->submit(2, driver::StopWaiting{9});
  std::vector<Completion> out;
  guest->poll(out);  // sends it
  guest->stop();
  EXPECT_TRUE(script_.ended.empty());
  server_.close(Status(Code::lost, "the end"));
  EXPECT_EQ(script_.ended, std::vector<driver::Id>{77});
  EXPECT_TRUE(std::holds_alternative<driver::StopWaiting>(script_.asked.back()));  // what was said before it, too
}

}  // namespace
}  // namespace vtx::remote
