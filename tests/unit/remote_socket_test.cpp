/* SPDX-License-Identifier: MPL-2.0 */
//
// The owner's socket beside its database: whose name it is, how long that may be, and what it needs of the system.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "remote/socket_name.hpp"
#include "support/directory.hpp"

namespace vtx::remote {
namespace {

class RemoteSocket : public testing::Test {
 protected:
  static Listener listen(const std::string& name) {
    auto listener = Listener::open(name);
    EXPECT_TRUE(listener) << listener.error().text();
    return std::move(*listener);
  }
  /// True when `listener` gets a connection of who goes to `name`.
  static bool reaches(const std::string& name, const Listener& listener) {
    const auto guest = connect_to(name);
    if (!guest) return false;
    return Fd(::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)).valid();
  }

  const test::Directory directory_;
  const std::string name_ = directory_.path("db-vtx.sock");
};

TEST_F(RemoteSocket, OneThatEndsLateLeavesItsSuccessorsSocket) {
  std::optional<Listener> former(listen(name_));
  const Listener successor = listen(name_);
  EXPECT_FALSE(former->is_gone());
  former.reset();
  EXPECT_TRUE(reaches(name_, successor));
}

TEST_F(RemoteSocket, GoesWithItsListenerAndLeavesNothing) {
  std::optional<Listener> listener(listen(name_));
  EXPECT_TRUE(reaches(name_, *listener));
  listener.reset();
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path("")));
}

TEST_F(RemoteSocket, ThatOfADeadOwnerIsReplaced) {
  {
    const Listener dead = listen(name_);
    std::filesystem::rename(name_, directory_.path("kept"));
  }
  std::filesystem::rename(directory_.path("kept"), name_);  // as if nobody had removed it
  EXPECT_FALSE(connect_to(name_));
  const Listener next = listen(name_);
  EXPECT_TRUE(reaches(name_, next));
}

TEST_F(RemoteSocket, OneThatWasRemovedIsMissed) {
  const Listener listener = listen(name_);
  EXPECT_FALSE(listener.is_gone());
  std::filesystem::remove(name_);
  EXPECT_TRUE(listener.is_gone());
}

TEST_F(RemoteSocket, MayHaveTheLongestNameOfAFile) {
  const std::string deep = directory_.path(std::string(200, 'd')) + '/' + std::string(200, 'e');
  std::filesystem::create_directories(deep);
  const std::string name = deep + '/' + std::string(246, 'f') + "-vtx.sock";
  const Listener listener = listen(name);
  EXPECT_TRUE(reaches(name, listener));
}

TEST_F(RemoteSocket, WithoutDescriptorsItIsForAnotherMoment) {
  const Listener listener = listen(name_);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ::close(next);
  rlimit none = before;
  for (const int spare : {0, 1}) {  // the file or directory, then the socket
    none.rlim_cur = static_cast<rlim_t>(next + spare);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto connected = connect_to(name_);
    const auto listening = Listener::open(name_ + "2");
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().code(), Code::lost) << connected.error().text();
    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().code(), Code::lost) << listening.error().text();
  }
}

/// 0 when both ends say that they miss /proc, 77 when it cannot be taken away.
int ends_without_proc(const std::string& name) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", "/proc", "tmpfs", 0, nullptr) != 0)
    return 77;
  const auto says_so = [](const Status& status) {
    return status.code() == Code::unsupported && status.text().find("/proc") != std::string::npos;
  };
  const auto connected = connect_to(name);
  if (connected || !says_so(connected.error())) return 1;
  const auto listening = Listener::open(name + "2");
  return listening || !says_so(listening.error()) ? 2 : 0;
}

TEST_F(RemoteSocket, SaysThatItNeedsProc) {
  const Listener listener = listen(name_);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(ends_without_proc(name_));
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "needs the right to mount";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace vtx::remote
