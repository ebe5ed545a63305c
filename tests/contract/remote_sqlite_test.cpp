/* SPDX-License-Identifier: MPL-2.0 */
//
// An owner that is killed with commits in its hands. It needs a database that outlives a process, which the one in memory does not: SQLite's, behind a lock
// that makes it one's own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <map>
#include <set>

#include "contract/store_session.hpp"
#include "support/directory.hpp"
#include "vtx/driver/shared_store.hpp"
#include "vtx/drivers/sqlite.h"

namespace vtx::test {
namespace {

using driver::Commit;
using driver::Endpoint;

/// Holders end as SQLite has it: with their sessions.
class LockedSqlite final : public driver::OwnedDatabase {
 public:
  explicit LockedSqlite(int lock) : lock_(lock) {}
  ~LockedSqlite() override { ::close(lock_); }
  std::unique_ptr<driver::Store> session(const std::string&) override {
    return std::unique_ptr<driver::Store>(static_cast<driver::Store*>(vtx_sqlite_driver()->store()));
  }
  void end_holders(std::span<const Id>) override {}

 private:
  const int lock_;
};

Result<std::unique_ptr<driver::OwnedDatabase>> own(const Endpoint& endpoint, bool) {
  const int fd = ::open((endpoint.path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  if (fd >= 0 && ::fcntl(fd, F_SETLK, &whole) == 0) return std::make_unique<LockedSqlite>(fd);
  ::close(fd);
  return fail(Code::busy, "another process has it");
}

/// A session that ends its process when it has an answer to a commit, before anybody hears of that.
class Mortal final : public driver::Store {
 public:
  explicit Mortal(std::unique_ptr<driver::Store> session) : session_(std::move(session)) {}
  Status start(const Endpoint& endpoint, bool create) override { return session_->start(endpoint, create); }
  void submit(u64 ticket, driver::Operation operation) override {
    if (std::holds_alternative<Commit>(operation)) commits_.insert(ticket);
    session_->submit(ticket, std::move(operation));
  }
  void poll(std::vector<Completion>& out) override {
    session_->poll(out);
    for (const Completion& one : out)
      if (one.status.ok() && commits_.contains(one.ticket)) ::raise(SIGKILL);
  }
  int fd() const override { return session_->fd(); }
  Ms next_poll() const override { return session_->next_poll(); }
  void stop() override { session_->stop(); }

 private:
  const std::unique_ptr<driver::Store> session_;
  std::set<u64> commits_;
};

class MortalSqlite final : public driver::OwnedDatabase {
 public:
  explicit MortalSqlite(std::unique_ptr<driver::OwnedDatabase> database) : database_(std::move(database)) {}
  std::unique_ptr<driver::Store> session(const std::string& process) override {
    return std::make_unique<Mortal>(database_->session(process));
  }
  void end_holders(std::span<const Id> holders) override { database_->end_holders(holders); }

 private:
  const std::unique_ptr<driver::OwnedDatabase> database_;
};

Result<std::unique_ptr<driver::OwnedDatabase>> own_until_a_commit(const Endpoint& endpoint, bool create) {
  auto database = own(endpoint, create);
  if (!database) return database;
  return std::make_unique<MortalSqlite>(std::move(*database));
}

/// Owns the database and serves others until it is killed.
[[noreturn]] void serve(const Endpoint& endpoint, const driver::OpenOwned& open, int ready) {
  const auto store = driver::make_shared_store(open);
  if (!store->start(endpoint, true).ok()) ::_exit(1);
  std::vector<Completion> out;
  bool told = false;
  while (true) {
    out.clear();
    store->poll(out);
    for (const Completion& one : out)
      if (one.event == driver::Event::opened && !std::exchange(told, true) && ::write(ready, "y", 1) != 1) ::_exit(1);
    pollfd waiting{store->fd(), POLLIN, 0};
    ::poll(&waiting, 1, static_cast<int>(std::min(store->next_poll(), Ms{1000}).count()));
  }
}

class Owner {
 public:
  explicit Owner(const Endpoint& endpoint, const driver::OpenOwned& open = own) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) serve(endpoint, open, ready[1]);
    char said = 0;
    EXPECT_EQ(::read(ready[0], &said, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Owner() { kill(); }
  /// It does nothing more, and is there.
  void halt() const {
    ::kill(pid_, SIGSTOP);
    ::waitpid(pid_, nullptr, WUNTRACED);
  }
  /// By its own hand.
  void wait_for_death() {
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

class KilledOwner : public testing::Test {
 protected:
  static constexpr u64 kProducers = 20;  // each with one commit out, as an engine has it

  KilledOwner() {
    endpoint_.scheme = "sqlite";
    endpoint_.has_authority = true;
    endpoint_.path = directory_.path("q.db");
    endpoint_.text = "sqlite://" + endpoint_.path;
  }

  /// Commits that leave for the owner, and are answered one way or another when `end` has ended that; those that are not known to be stored are
  /// repeated with the next owner. Then each is there once.
  /// @return how many were answered so
  std::map<Code, u64> lose_owner(StoreSession& a, const std::function<void()>& before,
                                 const std::function<void()>& end) {
    const Id stream = a.stream(a.queue("q", "forever"));
    std::vector<std::string> texts;
    for (u64 i = 0; i < kProducers; ++i) texts.push_back(std::to_string(sent_.size()) + '/' + std::to_string(i));
    std::vector<Commit> commits;
    std::map<u64, std::size_t> tickets;
    before();
    for (u64 i = 0; i < kProducers; ++i) {
      commits.push_back(commit_of(stream, texts[i]));
      tickets[a.submit(commits.back())] = i;
    }
    std::vector<Completion> out;
    a.store().poll(out);  // sends them
    EXPECT_TRUE(out.empty());
    end();
    std::map<Code, u64> seen;
    for (const auto& [ticket, i] : tickets) {
      const Completion answer = a.wait(ticket);
      ++seen[answer.status.code()];
      if (answer.status.ok()) commits[i].counter = 0;  // is done
    }
    EXPECT_TRUE(a.wait_lost());
    a.start();  // takes over
    EXPECT_EQ(a.stream(a.queue("q")), stream);
    stored_ = a.read(stream).size();
    for (const Commit& commit : commits)
      if (commit.counter != 0) a.run(commit);
    sent_.insert(sent_.end(), texts.begin(), texts.end());
    std::vector<std::string> stored = a.read(stream);
    std::ranges::sort(stored);
    std::ranges::sort(sent_);
    EXPECT_EQ(stored, sent_);
    return seen;
  }

  const Directory directory_;
  Endpoint endpoint_;
  std::vector<std::string> sent_;
  std::size_t stored_ = 0;  // messages that its last owner had stored

 private:
  /// By a producer of its own; borrows the text.
  Commit commit_of(Id stream, const std::string& text) {
    Commit commit;
    commit.producer.fill(static_cast<std::byte>(++producers_));
    commit.counter = 1;
    driver::Message message;
    message.body = std::as_bytes(std::span(text));
    commit.appends.push_back({stream, {message}, {}, -1});
    return commit;
  }

  u64 producers_ = 0;
};

TEST_F(KilledOwner, CommitsThatItNeverReadAreInDoubtAndStoredOnceWhenRepeated) {
  Owner owner(endpoint_);
  StoreSession a(driver::make_shared_store(own), endpoint_);
  const auto seen = lose_owner(
      a, [&] { owner.halt(); }, [&] { owner.kill(); });
  EXPECT_EQ(seen, (std::map<Code, u64>{{Code::in_doubt, kProducers}}));
  EXPECT_EQ(stored_, 0U);
}

TEST_F(KilledOwner, CommitsThatItStoredWithoutAWordAreInDoubtAndNotStoredAgain) {
  Owner owner(endpoint_, own_until_a_commit);
  StoreSession a(driver::make_shared_store(own), endpoint_);
  const auto seen = lose_owner(
      a, [] {}, [&] { owner.wait_for_death(); });
  EXPECT_EQ(seen, (std::map<Code, u64>{{Code::in_doubt, kProducers}}));
  EXPECT_GT(stored_, 0U);
}

TEST_F(KilledOwner, WheneverItDiesEachCommitIsStoredOnce) {
  for (int round = 0; round < 6; ++round) {
    Owner owner(endpoint_);
    StoreSession a(driver::make_shared_store(own), endpoint_);
    (void)lose_owner(
        a, [] {},
        [&] {
          ::usleep(static_cast<useconds_t>(round * 700));
          owner.kill();
        });
  }
}

}  // namespace
}  // namespace vtx::test
