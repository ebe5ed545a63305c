/* SPDX-License-Identifier: MPL-2.0 */
//
// What waits for the disk's sync, and what goes on meanwhile. RocksDB's calls of fdatasync() come here, since this program has a function of that name.
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "scene.hpp"

namespace vtx::rocks::test {
namespace {

/// The disk, while a test has it in its hands.
struct Gate {
  std::mutex mutex;
  std::condition_variable moved;
  bool closed = false;
  bool failing = false;
  int waiting = 0;
};
Gate& gate() {
  static Gate one;
  return one;
}

void set_gate(bool closed, bool failing) {
  const std::lock_guard lock(gate().mutex);
  gate().closed = closed;
  gate().failing = failing;
  gate().moved.notify_all();
}

void wait_for_a_sync() {
  std::unique_lock lock(gate().mutex);
  EXPECT_TRUE(gate().moved.wait_for(lock, kGenerous, [] { return gate().waiting > 0; }))
      << "RocksDB's fdatasync() does not come here";
}

}  // namespace
}  // namespace vtx::rocks::test

// Exported, or librocksdb would not find it.
extern "C" __attribute__((visibility("default"))) int fdatasync(int fd) {
  using vtx::rocks::test::gate;
  {
    std::unique_lock lock(gate().mutex);
    ++gate().waiting;
    gate().moved.notify_all();
    gate().moved.wait(lock, [] { return !gate().closed; });
    --gate().waiting;
    if (gate().failing) {
      errno = EIO;
      return -1;
    }
  }
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace vtx::rocks::test {
namespace {

class SyncTest : public RocksTest {
 protected:
  /// Long enough for a sync in another thread.
  const std::string text = std::string(200'000, 'x');

  void TearDown() override {
    set_gate(false, false);
    RocksTest::TearDown();
  }
};

driver::Commit synced(driver::Commit commit) {
  commit.sync = true;
  return commit;
}

driver::Commit not_synced(driver::Commit commit) {
  commit.sync = false;
  return commit;
}

TEST_F(SyncTest, ACommitWaitsForItsSyncAndHoldsUpNobodyElse) {
  const auto a = open_beside();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const Id other = a->stream(a->queue("other"));
  set_gate(true, false);
  const std::string light = "light";
  const u64 commit = a->submit(synced(commit_of(*a, stream, text)));
  wait_for_a_sync();
  const auto b = open_beside();
  EXPECT_TRUE(b->ask(not_synced(commit_of(*b, other, light))).status.ok());
  EXPECT_EQ(b->read(other), std::vector<std::string>{light});
  EXPECT_FALSE(a->answered(commit));
  set_gate(false, false);
  EXPECT_TRUE(a->wait(commit).status.ok());
}

TEST_F(SyncTest, NobodyIsHandedAMessageThatIsToBeDurableBeforeItIs) {
  const auto a = open_beside();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const Id group = a->group(queue);
  const auto b = open_beside();
  const Id holder = b->holder();
  set_gate(true, false);
  const u64 commit = a->submit(synced(commit_of(*a, stream, text)));
  wait_for_a_sync();
  const u64 claim = b->submit(driver::ClaimNext{group, holder, {}});
  const u64 read = b->submit(driver::Read{stream, 1, {}});
  b->run(driver::Beat{holder, Ms{5000}});
  EXPECT_FALSE(b->answered(claim));
  EXPECT_FALSE(b->answered(read));
  EXPECT_FALSE(a->answered(commit));
  set_gate(false, false);
  EXPECT_EQ(texts(b->wait(claim)), std::vector<std::string>{text});
  EXPECT_EQ(texts(b->wait(read)), std::vector<std::string>{text});
  EXPECT_TRUE(a->wait(commit).status.ok());
}

TEST_F(SyncTest, NorADelayedOneThatFallsDueMeanwhile) {
  const auto a = open_beside();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const Id group = a->group(queue);
  const auto b = open_beside();
  const Id holder = b->holder();
  set_gate(true, false);
  driver::Commit delayed = synced(commit_of(*a, stream, text));
  delayed.appends[0].messages[0].delay = Ms{1};
  const u64 commit = a->submit(delayed);
  wait_for_a_sync();
  std::this_thread::sleep_for(Ms{20});
  const u64 claim = b->submit(driver::ClaimNext{group, holder, {}});
  b->run(driver::Beat{holder, Ms{5000}});
  EXPECT_FALSE(b->answered(claim));
  set_gate(false, false);
  EXPECT_EQ(texts(b->wait(claim)), std::vector<std::string>{text});
  EXPECT_TRUE(a->wait(commit).status.ok());
}

TEST_F(SyncTest, WhoStopsMeanwhileIsToldOfTheDoubt) {
  const auto a = open_beside();
  const Id stream = a->stream(a->queue("q"));
  set_gate(true, false);
  const driver::Commit wanted = synced(commit_of(*a, stream, text));
  const u64 commit = a->submit(wanted);
  wait_for_a_sync();
  std::thread opener([] {
    std::this_thread::sleep_for(Ms{50});  // the end waits for the sync that runs
    set_gate(false, false);
  });
  a->stop();
  opener.join();
  EXPECT_EQ(a->wait(commit).status.code(), Code::in_doubt);
  a->start();
  EXPECT_TRUE(a->ask(wanted).status.ok());
  EXPECT_EQ(a->read(stream), std::vector<std::string>{text});
}

TEST_F(SyncTest, ASmallCommitIsInDoubtWhenItsSyncFails) {
  const auto a = open_beside();
  const Id stream = a->stream(a->queue("q"));
  set_gate(false, true);
  const std::string small = "small";
  const driver::Commit wanted = synced(commit_of(*a, stream, small));
  const Completion failed = a->ask(wanted);
  EXPECT_EQ(failed.status.code(), Code::in_doubt) << failed.status.text();
  EXPECT_TRUE(a->wait_lost());
  set_gate(false, false);
  a->start();
  EXPECT_TRUE(a->ask(wanted).status.ok());
  EXPECT_EQ(a->read(stream), std::vector<std::string>{small});
}

TEST_F(SyncTest, ASyncThatFailsLeavesItsCommitsInDoubtAndEndsAllSessions) {
  const auto a = open_beside();
  const Id queue = a->queue("q");
  const Id stream = a->stream(queue);
  const auto b = open_beside();
  set_gate(true, false);
  const driver::Commit wanted = synced(commit_of(*a, stream, text));
  const u64 commit = a->submit(wanted);
  wait_for_a_sync();
  set_gate(false, true);
  const Completion failed = a->wait(commit);
  EXPECT_EQ(failed.status.code(), Code::in_doubt) << failed.status.text();
  EXPECT_TRUE(a->wait_lost());
  EXPECT_TRUE(b->wait_lost());
  set_gate(false, false);
  a->start();
  EXPECT_TRUE(a->ask(wanted).status.ok());
  EXPECT_EQ(a->read(stream), std::vector<std::string>{text});
}

}  // namespace
}  // namespace vtx::rocks::test
