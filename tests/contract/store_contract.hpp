/* SPDX-License-Identifier: MPL-2.0 */
//
// The contract of every Store. A driver takes part with one line,
//
//   VTX_STORE_CONTRACT(Memory, memory_under_test());
//
// and links the object library vtx_store_contract. What a driver cannot do it declares, and the suite then asserts
// the documented refusal.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <ostream>

#include "contract/store_session.hpp"

namespace vtx::test {

/// One fresh database, made for one test and removed after it.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  virtual driver::Endpoint endpoint() const = 0;
  /// Another Store on the same database, as another process would have; not started.
  virtual std::unique_ptr<driver::Store> open() = 0;
  /// Lets time pass for the database: moves its clock, or sleeps.
  virtual void advance(Ms by) = 0;
  /// Makes a backup of it as it is now; what it returns restores that, whoever is at work.
  virtual std::function<void()> back_up() = 0;
};

struct StoreUnderTest {
  std::string name;
  std::function<std::unique_ptr<StorePlace>()> make;
  /// A holder whose session ended is reported dead by the next Beat of another. Otherwise the lease has to pass.
  bool sees_endings = true;
  /// Nobody but the test's stores is at work. Otherwise somebody has made the database, and hears first that it went back in time.
  bool is_alone = true;
  /// A session may end because another store stopped: then it is opened again.
  bool sessions_hang_together = false;
};

inline void PrintTo(const StoreUnderTest& store, std::ostream* out) { *out << store.name; }

class StoreContract : public testing::TestWithParam<StoreUnderTest> {
 protected:
  void SetUp() override { place_ = GetParam().make(); }

  std::unique_ptr<StoreSession> open(bool create = true) {
    auto session = std::make_unique<StoreSession>(place_->open(), place_->endpoint(), create);
    if (GetParam().sessions_hang_together) session->come_back();
    return session;
  }
  StorePlace& place() { return *place_; }

 private:
  std::unique_ptr<StorePlace> place_;
};

/// The usual scene: one session with a queue "q", its stream, a group "g" and a holder.
class StoreQueueContract : public StoreContract {
 protected:
  void SetUp() override {
    StoreContract::SetUp();
    a_ = open();
    queue_ = a_->queue("q");
    stream_ = a_->stream(queue_);
    group_ = a_->group(queue_);
    holder_ = a_->holder();
  }
  /// Claims by the scene's group and holder.
  Completion claim(u32 messages = driver::kMaxBatch, bool alone = false) {
    return a_->claim(group_, holder_, messages, alone);
  }
  /// Appends one message a text, as the session's next commit.
  Completion send(const std::vector<std::string>& bodies, int priority, Ms delay = {}, Ms ttl = {}) {
    driver::Commit commit = a_->next_commit();
    driver::Append append;
    append.stream = stream_;
    append.priority = priority;
    for (const std::string& body : bodies) {
      driver::Message message;
      message.body = std::as_bytes(std::span(body));
      message.delay = delay;
      message.ttl = ttl;
      append.messages.push_back(message);
    }
    commit.appends.push_back(std::move(append));
    return a_->run(std::move(commit));
  }
  /// Claims a message that was delivered before; it must be there.
  Completion claim_again() {
    Completion got = claim(driver::kMaxBatch, true);
    EXPECT_TRUE(got.claim);
    if (!got.claim) got.claim.emplace();
    return got;
  }

  u64 counter(const std::string& name) {
    for (const auto& [what, n] : a_->stats("q").counters)
      if (what == name) return n;
    return 0;
  }

  std::unique_ptr<StoreSession> a_;
  Id queue_ = 0;
  Id stream_ = 0;
  Id group_ = 0;
  Id holder_ = 0;
};

inline std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

/// The usual scene, and letters to peers.
class StoreMailboxContract : public StoreQueueContract {
 protected:
  Id mailbox(const std::string& peer) { return a_->run(driver::OpenStream{queue_, "mailbox", peer, 0}).id; }
  Id readers(const std::string& peer) {
    return a_->run(driver::OpenGroup{queue_, "mailbox", peer, "default", "", {}, {}, 10}).id;
  }
  driver::Append letter(const std::string& peer, const std::string& body, int only_if = -1) {
    driver::Append append;
    append.queue = queue_;
    append.peer = peer;
    append.only_if = only_if;
    driver::Message message;
    message.body = bytes_of(body);
    append.messages.push_back(message);
    return append;
  }
  Completion send(std::vector<driver::Append> appends, std::vector<Settle> settles = {}) {
    driver::Commit commit = a_->next_commit();
    commit.appends = std::move(appends);
    commit.settles = std::move(settles);
    return a_->run(commit);
  }
  /// A queue "many" with so many, tended once. @return their streams, in order
  std::vector<Id> many_mailboxes(u64 count, const std::string& retain) {
    queue_ = a_->queue("many", retain);
    std::vector<Id> streams;
    for (u64 i = 0; i < count; ++i) streams.push_back(mailbox(std::to_string(i)));
    a_->tend("many");
    return streams;
  }
  /// So many letters to each.
  void write_to(const std::vector<Id>& streams, std::size_t letters) {
    std::vector<driver::Append> appends;
    for (const Id stream : streams) {
      appends.push_back(letter("", body_));
      appends.back().stream = stream;
      appends.back().messages.resize(letters, appends.back().messages.front());
    }
    send(std::move(appends));
  }
  /// Finds out by sending to it.
  bool has_mailbox(const std::string& peer) {
    const u64 before = counter("undeliverable");
    send({letter(peer, body_)});
    return counter("undeliverable") == before;
  }

  const std::string body_ = "is anybody there?";
};

}  // namespace vtx::test

/// Runs the whole contract on a StoreUnderTest. Once a test program and name.
#define VTX_STORE_CONTRACT(name, under_test)                                         \
  INSTANTIATE_TEST_SUITE_P(name, StoreContract, ::testing::Values(under_test));      \
  INSTANTIATE_TEST_SUITE_P(name, StoreQueueContract, ::testing::Values(under_test)); \
  INSTANTIATE_TEST_SUITE_P(name, StoreMailboxContract, ::testing::Values(under_test))
