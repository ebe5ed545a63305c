/* SPDX-License-Identifier: MPL-2.0 */
//
// What is peculiar to a database that only one can have: its socket, who may come, who comes back, and what nobody may do to its owner.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "contract/store_session.hpp"
#include "support/directory.hpp"
#include "support/memory_owned.hpp"
#include "support/threaded_store.hpp"

namespace vtx::test {
namespace {

using driver::Beat;
using driver::Endpoint;

class SharedStore : public testing::Test {
 protected:
  std::unique_ptr<driver::Store> store() const {
    return std::make_unique<ThreadedStore>(driver::make_shared_store(open_owned(database_)));
  }
  std::unique_ptr<StoreSession> open() const { return std::make_unique<StoreSession>(store(), endpoint_); }
  std::string socket_path() const { return endpoint_.path + "-vtx.sock"; }

  static Endpoint endpoint_at(const std::string& path) {
    Endpoint endpoint;
    endpoint.text = "memory:" + path;
    endpoint.scheme = "memory";
    endpoint.path = path;
    return endpoint;
  }
  /// A connection that knows nothing of VTX.
  int connect_plainly() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_path().data(), socket_path().size());
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
    return fd;
  }
  /// True when the other side ends the connection, whatever it says before.
  static bool is_ended(int fd) {
    std::array<char, 4096> bytes{};
    while (true) {
      pollfd waiting{fd, POLLIN, 0};
      if (::poll(&waiting, 1, 20'000) != 1) return false;
      if (::recv(fd, bytes.data(), bytes.size(), 0) <= 0) return true;
    }
  }

  const Directory directory_;
  const std::shared_ptr<MemoryDatabase> database_ = std::make_shared<MemoryDatabase>();
  Endpoint endpoint_ = endpoint_at(directory_.path("db"));
};

TEST_F(SharedStore, TheSocketIsForItsUserAlone) {
  const auto owner = open();
  struct stat is {};
  ASSERT_EQ(::lstat(socket_path().c_str(), &is), 0);
  EXPECT_TRUE(S_ISSOCK(is.st_mode));
  EXPECT_EQ(is.st_mode & 07777, 0600U);
}

TEST_F(SharedStore, TheSocketGoesWithItsOwner) {
  auto owner = open();
  owner.reset();
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(socket_path())));
}

TEST_F(SharedStore, AStaleSocketIsReplaced) {
  {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_path().data(), socket_path().size());
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(fd);  // as if its process had died: nobody removes the file
  }
  const auto owner = open();
  const auto guest = open();
  EXPECT_EQ(guest->queue("q"), owner->queue("q"));
}

TEST_F(SharedStore, WhatIsNoSocketIsLeftAlone) {
  std::ofstream(socket_path()) << "precious";
  const auto one = store();
  EXPECT_EQ(one->start(endpoint_, true).code(), Code::invalid);
  EXPECT_EQ(std::filesystem::file_size(socket_path()), 8U);
  std::filesystem::remove(socket_path());
  EXPECT_TRUE(one->start(endpoint_, true).ok());  // it did not keep the database
}

TEST_F(SharedStore, AnOwnerThatIsNotListeningYetIsLostAndTriedAgain) {
  ASSERT_TRUE(database_->own());
  const auto one = driver::make_shared_store(open_owned(database_));
  ASSERT_TRUE(one->start(endpoint_, true).ok());
  std::vector<Completion> out;
  one->poll(out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].event, driver::Event::lost);
  EXPECT_NE(out[0].status.text().find(socket_path()), std::string::npos) << out[0].status.text();
  database_->disown();
  EXPECT_EQ(StoreSession(store(), endpoint_).epoch(), "memory/1");
}

TEST_F(SharedStore, SeveralSpellingsMeet) {
  std::filesystem::create_directory(endpoint_.path);
  std::filesystem::create_directory_symlink(directory_.path("db"), directory_.path("link"));
  const auto owner = open();
  const auto by_link = std::make_unique<StoreSession>(store(), endpoint_at(directory_.path("link")));
  const auto by_detour = std::make_unique<StoreSession>(store(), endpoint_at(directory_.path("db/../db/")));
  EXPECT_EQ(by_link->queue("q"), owner->queue("q"));
  EXPECT_EQ(by_detour->queue("q"), owner->queue("q"));
}

TEST_F(SharedStore, APathMayBeLongerThanASocketsName) {
  const std::string deep = directory_.path(std::string(60, 'd')) + '/' + std::string(60, 'e');
  std::filesystem::create_directories(deep);
  endpoint_ = endpoint_at(deep + '/' + std::string(200, 'f'));
  auto owner = open();
  EXPECT_TRUE(std::filesystem::is_socket(std::filesystem::symlink_status(socket_path())));
  {
    const auto guest = open();
    EXPECT_EQ(guest->queue("q"), owner->queue("q"));
  }
  owner.reset();
  EXPECT_TRUE(std::filesystem::is_empty(deep));
}

// --- hostile guests

TEST_F(SharedStore, RubbishEndsItsConnectionAndNothingElse) {
  const auto owner = open();
  const auto guest = open();
  const std::vector<std::string> rubbish{
      std::string(100, '\xff'),         std::string(100, '\0'),
      "GET / HTTP/1.1\r\n\r\n",         std::string("\x05\0\0\0\x01VTXS", 9),  // a hello cut short inside its frame
      std::string("\x01\0\0\0\x04", 5),                                        // a question before the greeting
  };
  for (const std::string& bytes : rubbish) {
    const int fd = connect_plainly();
    EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    EXPECT_TRUE(is_ended(fd));
    ::close(fd);
  }
  EXPECT_EQ(guest->queue("q"), owner->queue("q"));
}

/// Length and kind, then a hello of another protocol.
std::string foreign_hello() {
  std::string hello("VTXSTORE\x63\0\0\0\x05\0\0\0009.9.9", 21);
  std::string frame(5, '\0');
  frame[0] = static_cast<char>(hello.size() + 1);
  frame[4] = 1;
  return frame + hello;
}

TEST_F(SharedStore, AnotherProtocolIsRefusedByName) {
  const auto owner = open();
  const int fd = connect_plainly();
  const std::string hello = foreign_hello();
  ASSERT_EQ(::send(fd, hello.data(), hello.size(), MSG_NOSIGNAL), static_cast<ssize_t>(hello.size()));
  std::string said;
  std::array<char, 1024> bytes{};
  for (ssize_t got = 1; got > 0;) {
    got = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (got > 0) said.append(bytes.data(), static_cast<std::size_t>(got));
  }
  ::close(fd);
  EXPECT_EQ(said.at(4), 3);  // refusal
  EXPECT_NE(said.find("9.9.9"), std::string::npos) << said;
  EXPECT_NE(said.find("0.1.0"), std::string::npos) << said;
}

TEST_F(SharedStore, AnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be somebody else for a moment";
  const auto owner = open();
  // Past the modes of the files, so that only the kernel's word is left.
  std::filesystem::permissions(directory_.path(""), std::filesystem::perms::all);
  std::filesystem::permissions(socket_path(), std::filesystem::perms::all);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_path().data(), socket_path().size());
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ::_exit(3);
    std::array<char, 1024> bytes{};
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), MSG_WAITALL);
    constexpr char kDenied = 8;
    ::_exit(got > 6 && bytes[4] == 3 && bytes[5] == kDenied ? 0 : 4);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
  EXPECT_NE(open()->queue("q"), 0U);
}

// --- guests that come and go

TEST_F(SharedStore, OneTakesOverWhenTheOwnerStops) {
  auto owner = open();
  const auto a = open();
  const auto b = open();
  a->come_back();
  b->come_back();
  const Id stream = a->stream(a->queue("q"));
  for (u64 i = 1; i <= 3; ++i) {
    a->append(stream, {std::to_string(i)});
    if (i == 1) owner.reset();
  }
  EXPECT_EQ(b->read(stream), numbers(1, 3));
}

TEST_F(SharedStore, AHolderOutlivesItsOwner) {
  auto owner = open();
  const auto a = open();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const Id group = a->group(queue);
  const Id holder = a->holder();
  a->append(stream, numbers(1, 2));
  const Completion got = a->claim(group, holder);
  owner.reset();
  EXPECT_TRUE(a->wait_lost());
  a->start();
  EXPECT_TRUE(a->ask(Beat{holder, Ms{5000}}).status.ok());
  EXPECT_TRUE(a->settle({settle_all(got)}).empty());
  EXPECT_TRUE(a->drain(group, holder).empty());
}

TEST_F(SharedStore, AHolderThatCameBackEndsWithItsNewSession) {
  auto owner = open();
  auto a = open();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const Id group = a->group(queue);
  const Id holder = a->holder();
  a->append(stream, {"x"});
  EXPECT_TRUE(a->claim(group, holder).claim);
  const auto heir = open();
  owner.reset();
  EXPECT_TRUE(heir->wait_lost());
  heir->start();
  EXPECT_TRUE(a->wait_lost());
  a->start();
  EXPECT_TRUE(a->ask(Beat{holder, Ms{5000}}).status.ok());
  a->stop();
  const Completion beat = heir->run(Beat{0, Ms{5000}});
  ASSERT_EQ(beat.holders.size(), 1U);
  EXPECT_EQ(beat.holders[0].holder, holder);
  EXPECT_TRUE(beat.holders[0].dead);
}

/// A process with a claim of the group, until it is killed.
class Claimer {
 public:
  /// @param cuts  its connection ends then, without a word
  Claimer(const Endpoint& endpoint, Id group, bool cuts) {
    std::array<int, 2> claimed{};
    if (::pipe(claimed.data()) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) claim(endpoint, group, cuts, claimed[1]);
    char said = 0;
    EXPECT_EQ(::read(claimed[0], &said, 1), 1);
    EXPECT_EQ(said, 'y');
    ::close(claimed[0]);
    ::close(claimed[1]);
  }
  ~Claimer() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  /// The threads of the parent are not here: a store of its own, polled by itself.
  [[noreturn]] static void claim(const Endpoint& endpoint, Id group, bool cuts, int told) {
    const auto busy = [](const Endpoint&, bool) -> Result<std::unique_ptr<driver::OwnedDatabase>> {
      return fail(Code::busy, "the parent has it");
    };
    StoreSession a(driver::make_shared_store(busy), endpoint);
    const bool ok = a.claim(group, a.holder(Ms{3'600'000})).claim.has_value();
    for (int fd = 3; cuts && fd < 1000; ++fd)
      if (fd != told) ::close(fd);
    if (::write(told, ok ? "y" : "n", 1) != 1) ::_exit(1);
    while (true) ::pause();
  }

  pid_t pid_ = 0;
};

/// The one holder that has claims is alive until its process dies.
void expect_to_end_with(Claimer& claimer, StoreSession& watcher) {
  const Id mine = watcher.holder();
  Completion beat;
  for (int i = 0; i < 20; ++i) {
    beat = watcher.run(Beat{mine, Ms{5000}});
    ASSERT_EQ(beat.holders.size(), 1U);
    EXPECT_FALSE(beat.holders[0].dead);
    std::this_thread::sleep_for(Ms(1));
  }
  claimer.kill();
  for (int i = 0; i < 2000 && !beat.holders[0].dead; ++i) {
    std::this_thread::sleep_for(Ms(5));
    beat = watcher.run(Beat{mine, Ms{5000}});
    ASSERT_EQ(beat.holders.size(), 1U);
  }
  EXPECT_TRUE(beat.holders[0].dead);
}

TEST_F(SharedStore, HoldersOfAProcessThatDiedHaveEnded) {
  const auto owner = open();
  const Id queue = owner->queue("q");
  owner->append(owner->stream(queue), {"x"});
  Claimer claimer(endpoint_, owner->group(queue), false);
  expect_to_end_with(claimer, *owner);
}

TEST_F(SharedStore, HoldersWhoseConnectionWasCutEndWithTheirProcess) {
  const auto owner = open();
  const Id queue = owner->queue("q");
  owner->append(owner->stream(queue), {"x"});
  Claimer claimer(endpoint_, owner->group(queue), true);
  expect_to_end_with(claimer, *owner);
}

TEST_F(SharedStore, WhoDoesNotReadIsBoundedAndInNobodysWay) {
  const auto owner = open();
  const Id queue = owner->queue("q", "forever");
  const Id stream = owner->stream(queue);
  const std::string body(200'000, 'x');
  for (int i = 0; i < 50; ++i) owner->append(stream, {body});

  // It asks for 2 GB, and looks at nothing.
  const auto lazy = driver::make_shared_store(open_owned(database_));
  ASSERT_TRUE(lazy->start(endpoint_, true).ok());
  std::vector<Completion> out;
  for (int i = 0; i < 2000 && out.empty(); ++i) {
    std::this_thread::sleep_for(Ms(5));
    lazy->poll(out);
  }
  ASSERT_FALSE(out.empty());
  ASSERT_EQ(out[0].event, driver::Event::opened);
  out.clear();
  constexpr u64 kCount = 150;  // of a MiB each
  for (u64 i = 1; i <= kCount; ++i) lazy->submit(i, driver::Read{stream, 1, {}});
  lazy->poll(out);  // sends them

  const auto resident = [] {
    std::ifstream in("/proc/self/statm");
    std::size_t size = 0;
    std::size_t pages = 0;
    in >> size >> pages;
    return pages * 4096;
  };
  const std::size_t before = resident();
  const auto other = open();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(other->run(driver::Read{stream, 1, {1, 1}}).messages.size(), 1U);
  EXPECT_LT(resident(), before + (std::size_t{100} << 20));

  // When it looks, it gets all.
  const auto deadline = std::chrono::steady_clock::now() + 3 * kGenerous;  // under a sanitizer that is much
  std::size_t answers = 0;
  while (answers < kCount && std::chrono::steady_clock::now() < deadline) {
    pollfd waiting{lazy->fd(), POLLIN, 0};
    ::poll(&waiting, 1, 100);
    out.clear();
    lazy->poll(out);
    answers += static_cast<std::size_t>(std::ranges::count(out, driver::Event::answer, &Completion::event));
  }
  EXPECT_EQ(answers, kCount);
}

TEST_F(SharedStore, AnIdleOwnerHasNothingToDo) {
  const auto owner = driver::make_shared_store(open_owned(database_));
  ASSERT_TRUE(owner->start(endpoint_, true).ok());
  const auto guest = driver::make_shared_store(open_owned(database_));
  ASSERT_TRUE(guest->start(endpoint_, true).ok());
  std::vector<Completion> out;
  for (int i = 0; i < 20; ++i) {
    owner->poll(out);
    guest->poll(out);
  }
  EXPECT_EQ(out.size(), 2U);  // both have opened
  for (driver::Store* one : {owner.get(), guest.get()}) {
    pollfd waiting{one->fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 50), 0);
  }
  EXPECT_EQ(guest->next_poll(), Ms::max());
  EXPECT_GT(owner->next_poll(), Ms{500});  // then it looks for its socket's file
}

}  // namespace
}  // namespace vtx::test
