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
#include <map>

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

/// Owns the database and serves others until it is killed.
[[noreturn]] void serve(const Endpoint& endpoint, int ready) {
  const auto store = driver::make_shared_store(own);
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
  explicit Owner(const Endpoint& endpoint) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) serve(endpoint, ready[1]);
    char said = 0;
    EXPECT_EQ(::read(ready[0], &said, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Owner() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

TEST(KilledOwner, PendingCommitsAreInDoubtAndStoredOnceWhenRepeated) {
  const Directory directory;
  Endpoint endpoint;
  endpoint.scheme = "sqlite";
  endpoint.has_authority = true;
  endpoint.path = directory.path("q.db");
  endpoint.text = "sqlite://" + endpoint.path;
  constexpr u64 kRounds = 6;
  constexpr u64 kProducers = 20;  // each with one commit out, as an engine has it
  std::map<Code, int> seen;
  std::vector<std::string> sent;
  for (u64 round = 0; round < kRounds; ++round) {
    Owner owner(endpoint);
    StoreSession a(driver::make_shared_store(own), endpoint);
    const Id stream = a.stream(a.queue("q", "forever"));
    std::vector<std::string> texts;
    for (u64 i = 0; i < kProducers; ++i) texts.push_back(std::to_string(round) + '/' + std::to_string(i));
    std::vector<Commit> commits;
    std::map<u64, std::size_t> tickets;
    for (u64 i = 0; i < kProducers; ++i) {
      Commit commit;
      commit.producer.fill(static_cast<std::byte>(round * kProducers + i + 1));
      commit.counter = 1;
      driver::Message message;
      message.body = std::as_bytes(std::span(texts[i]));
      commit.appends.push_back({stream, {message}, {}, -1});
      commits.push_back(commit);
      tickets[a.submit(std::move(commit))] = i;
    }
    // Once nothing has been answered, then a little more each time.
    std::vector<Completion> out;
    a.store().poll(out);
    EXPECT_TRUE(out.empty());
    ::usleep(static_cast<useconds_t>(round * 700));
    owner.kill();
    for (const auto& [ticket, i] : tickets) {
      const Completion answer = a.wait(ticket);
      ++seen[answer.status.code()];
      if (answer.status.ok()) commits[i].counter = 0;  // is done
    }
    EXPECT_TRUE(a.wait_lost());
    a.start();  // takes over
    EXPECT_EQ(a.stream(a.queue("q")), stream);
    for (const Commit& commit : commits)
      if (commit.counter != 0) a.run(commit);
    sent.insert(sent.end(), texts.begin(), texts.end());
    std::vector<std::string> stored = a.read(stream);
    std::ranges::sort(stored);
    std::ranges::sort(sent);
    EXPECT_EQ(stored, sent) << round;
  }
  EXPECT_GT(seen[Code::in_doubt], 0);
  EXPECT_EQ(seen[Code::in_doubt] + seen[Code::ok] + seen[Code::lost], static_cast<int>(kRounds * kProducers));
}

}  // namespace
}  // namespace vtx::test
