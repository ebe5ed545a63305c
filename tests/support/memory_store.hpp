/* SPDX-License-Identifier: MPL-2.0 */
//
// A store in memory: the worked example of a driver, the model others are compared with, and, with its faults, the
// opponent that the engine is tested against.
//
// Operations run in poll(), in the order of submission, so that a test meets every moment between submit and
// answer. Several stores on one MemoryDatabase behave as several processes on one file.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "support/memory_database.hpp"
#include "vtx/driver/driver.h"
#include "vtx/driver/store.hpp"

namespace vtx::test {

class MemoryStore;

/// What is to go wrong in a store, or in several that share it. Thread-safe: a test arms it while a driver thread runs the store.
class MemoryFaults {
 public:
  /// The `nth` operation of this kind from now on (1: the next one) answers `status` and has no effect.
  template <class Op>
  void fail(u32 nth, Status status) {
    fail_kind(driver::Operation(std::in_place_type<Op>).index(), nth, std::move(status));
  }
  /// The session is lost with the `nth` commit from now on, which answers in_doubt; whether it took effect is `applied`.
  void lose_answer(u32 nth, bool applied);
  /// The sessions are lost at the next poll(), which comes at once.
  void lose_session();
  /// start() answers so until it is told ok.
  void refuse_start(Status status);
  /// start() takes so long from now on, as on a disk that is stuck.
  void slow_start(Ms time);
  /// The next `count` sessions are lost before they were opened.
  void lose_openings(u32 count);
  /// While true whatever writes answers no_space.
  void set_full(bool full);
  /// Commits with a longer message answer invalid. 0: any length.
  void set_longest(std::size_t bytes);
  /// How many operations of this kind have come.
  template <class Op>
  u64 seen() const {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(driver::Operation(std::in_place_type<Op>).index());
    return found == seen_.end() ? 0 : found->second;
  }
  /// Answers wait and overtake each other, never within a stream or group. 0: as they come.
  void shuffle(u64 seed);

  // For the store.
  struct Doom {
    std::optional<Status> fails;       ///< answer this, do nothing
    std::optional<bool> loses_answer;  ///< lose the session with this commit, applied or not
  };
  Doom judge(const driver::Operation& operation);
  Status judge_start(const MemoryStore* store, std::function<void()> wake);
  bool take_lost_opening();
  bool take_lost_session(const MemoryStore* store);
  u64 shuffle_seed() const;
  void forget(const MemoryStore* store);

 private:
  void fail_kind(std::size_t kind, u32 nth, Status status);

  struct Listener {
    std::function<void()> wake;
    bool loses_session = false;
  };

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<const MemoryStore*, Listener> listeners_;
  std::map<std::size_t, u64> seen_;
  std::map<std::size_t, std::map<u32, Status>> failing_;  // kind → how many more come first → what
  std::map<u32, bool> losing_;                            // likewise for commits
  Status start_;
  Ms start_takes_{0};
  u32 lost_openings_ = 0;
  bool full_ = false;
  std::size_t longest_ = 0;
  u64 seed_ = 0;
};

/// Confined to its driver thread, as every Store.
class MemoryStore final : public driver::Store {
 public:
  /// Finds its database at start(), by the endpoint's path, in the registry below.
  MemoryStore();
  explicit MemoryStore(std::shared_ptr<MemoryDatabase> database, std::shared_ptr<MemoryFaults> faults = {});
  /// As a session of a driver::OwnedDatabase: nobody's holders end with it.
  void leave_holders() { leaves_holders_ = true; }
  ~MemoryStore() override;
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  Status start(const driver::Endpoint& endpoint, bool create) override;
  void submit(u64 ticket, driver::Operation operation) override;
  void poll(std::vector<driver::Completion>& out) override;
  int fd() const override { return fd_; }
  Ms next_poll() const override { return Ms::max(); }
  void stop() override;

 private:
  struct Pending {
    u64 ticket = 0;
    driver::Operation operation;
  };
  struct Answered {
    driver::Completion completion;
    std::set<Id> order;  ///< streams and groups within which answers keep their order
    bool commit = false;
  };

  void wake() const;
  void run_pending();
  void end_session(bool clean);
  void hand_over(std::vector<driver::Completion>& out);
  void event(driver::Event what, std::string changed = {});

  std::shared_ptr<MemoryDatabase> database_;  // shared: with the stores that play other processes
  std::shared_ptr<MemoryFaults> faults_;      // shared: with the test
  int fd_ = -1;
  bool live_ = false;
  bool leaves_holders_ = false;
  Attachment attachment_;
  std::deque<Pending> pending_;
  std::deque<Answered> answered_;
  std::mt19937_64 random_;
};

/// What stands behind a path of scheme `memory`.
struct MemoryPlace {
  std::shared_ptr<MemoryDatabase> database;
  std::shared_ptr<MemoryFaults> faults;  ///< of every store that is opened there from now on
};

/// Makes `memory:PATH` lead there, for every MemoryStore of this process; replaces what was there. Thread-safe.
/// A path that nobody placed leads to a new database on the machine's clock.
void place_memory(const std::string& path, MemoryPlace place);
/// What stands there; made when nothing does.
MemoryPlace memory_at(const std::string& path);

/// The driver table, for vtx_register(vtx, "memory", vtx_memory_driver).
extern "C" const vtx_driver_t* vtx_memory_driver(void);

}  // namespace vtx::test
