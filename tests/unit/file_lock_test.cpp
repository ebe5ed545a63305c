/* SPDX-License-Identifier: MPL-2.0 */
//
// The fair lock and the byte locks, among parties of one process and among processes. Children use fcntl alone: threads do not survive fork.
#include "vtx/driver/file_lock.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <string>

namespace vtx::driver {
namespace {

constexpr int kDeadlineMs = 20'000;

bool is_readable(int fd, int timeout_ms) {
  pollfd item{fd, POLLIN, 0};
  return poll(&item, 1, timeout_ms) == 1;
}

short lock_byte(int fd, off_t byte, int command, short type = F_WRLCK) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = byte;
  range.l_len = 1;
  return static_cast<short>(fcntl(fd, command, &range) == 0 ? range.l_type : -1);
}

/// A child that runs `work` and then waits to be told to end.
class Child {
 public:
  explicit Child(const std::function<void()>& work) {
    if (pipe(ready_.data()) != 0 || pipe(end_.data()) != 0) abort();
    pid_ = fork();
    if (pid_ != 0) {
      char byte;
      if (read(ready_[0], &byte, 1) != 1) abort();
      return;
    }
    work();
    char byte = 0;
    if (write(ready_[1], &byte, 1) != 1) _exit(1);
    if (read(end_[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  ~Child() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  std::array<int, 2> ready_{}, end_{};
};

class FileLockTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/vtx-lock-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    path_ = directory_ + "/file";
  }
  void TearDown() override {
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }
  std::unique_ptr<LockFile> open() {
    auto file = LockFile::open(path_, {getuid(), getgid(), 0640});
    EXPECT_TRUE(file) << file.error().text();
    return std::move(*file);
  }
  std::string directory_, path_;
};

TEST_F(FileLockTest, CreatesWithTheModeAskedForWhateverTheUmask) {
  const mode_t before = umask(0777);
  const auto file = open();
  umask(before);
  struct stat found {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0640U);
}

TEST_F(FileLockTest, RefusesWhatIsNoFile) {
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  const auto file = LockFile::open(path_, {getuid(), getgid(), 0600});
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), Code::invalid);
  rmdir(path_.c_str());
  EXPECT_EQ(LockFile::open(directory_ + "/none/file", {}).error().code(), Code::not_found);
}

TEST_F(FileLockTest, PartiesOfOneProcessGetItInTurn) {
  const auto file = open();
  const auto again = open();
  FileLock first(*file), second(*again), third(*file);
  EXPECT_TRUE(first.try_lock());
  EXPECT_TRUE(first.try_lock());
  EXPECT_FALSE(second.try_lock());
  EXPECT_FALSE(third.try_lock());
  EXPECT_FALSE(is_readable(second.fd(), 0));
  first.unlock();
  ASSERT_TRUE(is_readable(second.fd(), kDeadlineMs));
  EXPECT_TRUE(second.try_lock());
  EXPECT_FALSE(first.try_lock());
  EXPECT_FALSE(is_readable(third.fd(), 0));
  second.unlock();
  ASSERT_TRUE(is_readable(third.fd(), kDeadlineMs));
  third.unlock();
  ASSERT_TRUE(is_readable(first.fd(), kDeadlineMs));
}

TEST_F(FileLockTest, WaitsForAnotherProcessAndItsDeath) {
  const auto file = open();
  Child child([&] { lock_byte(::open(path_.c_str(), O_RDWR), LockFile::kFairLock, F_SETLK); });
  FileLock lock(*file);
  EXPECT_FALSE(lock.try_lock());
  EXPECT_FALSE(is_readable(lock.fd(), 50));
  child.kill();
  ASSERT_TRUE(is_readable(lock.fd(), kDeadlineMs));
  EXPECT_TRUE(lock.try_lock());
}

TEST_F(FileLockTest, QueuesBehindWhoWaitsElsewhere) {
  const auto file = open();
  Child child(
      [&] { lock_byte(::open(path_.c_str(), O_RDWR), LockFile::kFairLock + 1, F_SETLK); });  // as one that waits
  FileLock lock(*file);
  EXPECT_FALSE(lock.try_lock());
  child.kill();
  EXPECT_TRUE(is_readable(lock.fd(), kDeadlineMs));
}

TEST_F(FileLockTest, LeavingTheQueueLetsTheNextIn) {
  const auto file = open();
  FileLock first(*file), last(*file);
  {
    FileLock gone(*file);
    ASSERT_TRUE(first.try_lock());
    EXPECT_FALSE(gone.try_lock());
    EXPECT_FALSE(last.try_lock());
  }
  first.unlock();
  EXPECT_TRUE(is_readable(last.fd(), kDeadlineMs));
}

TEST_F(FileLockTest, NobodyElseGetsItWhileItIsHeld) {
  const auto file = open();
  FileLock lock(*file);
  ASSERT_TRUE(lock.try_lock());
  { const auto again = open(); }  // closing another handle must not drop it
  const pid_t child = fork();
  if (child == 0) _exit(lock_byte(::open(path_.c_str(), O_RDWR), LockFile::kFairLock, F_GETLK));
  int result = 0;
  waitpid(child, &result, 0);
  EXPECT_EQ(WEXITSTATUS(result), F_WRLCK);
}

TEST_F(FileLockTest, BytesShowWhoLives) {
  const auto file = open();
  const auto again = open();
  EXPECT_FALSE(file->is_taken(7));
  EXPECT_TRUE(file->take(7));
  EXPECT_FALSE(again->take(7));
  EXPECT_TRUE(again->is_taken(7));
  file->release(7);
  EXPECT_FALSE(again->is_taken(7));
  Child child([&] { lock_byte(::open(path_.c_str(), O_RDWR), 7, F_SETLK); });
  EXPECT_TRUE(file->is_taken(7));
  EXPECT_FALSE(file->take(7));
  child.kill();
  EXPECT_FALSE(file->is_taken(7));
}

TEST_F(FileLockTest, NoticesThatTheNameLeadsElsewhere) {
  const auto file = open();
  EXPECT_TRUE(file->is_current());
  unlink(path_.c_str());
  EXPECT_FALSE(file->is_current());
  const auto other = open();
  EXPECT_TRUE(other->is_current());
  EXPECT_FALSE(file->is_current());
  EXPECT_TRUE(file->take(7));
  EXPECT_TRUE(other->take(7));
}

}  // namespace
}  // namespace vtx::driver
