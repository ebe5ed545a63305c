/* SPDX-License-Identifier: MPL-2.0 */
//
// A shared store whose session ends and begins again: what it owes an answer gets one, and what only this moment forbids is tried again.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "contract/store_session.hpp"
#include "support/directory.hpp"
#include "support/memory_owned.hpp"

namespace vtx::test {
namespace {

using driver::Event;

class SharedStoreRestart : public testing::Test {
 protected:
  SharedStoreRestart() {
    endpoint_.text = "memory:" + directory_.path("db");
    endpoint_.scheme = "memory";
    endpoint_.path = directory_.path("db");
  }
  static std::vector<Completion> poll(driver::Store& store) {
    std::vector<Completion> out;
    store.poll(out);
    return out;
  }
  static bool has_news(const driver::Store& store) {
    pollfd waiting{store.fd(), POLLIN, 0};
    return ::poll(&waiting, 1, 0) > 0;
  }

  const Directory directory_;
  driver::Endpoint endpoint_;
  const std::shared_ptr<MemoryDatabase> database_ = std::make_shared<MemoryDatabase>();
  const std::shared_ptr<MemoryFaults> faults_ = std::make_shared<MemoryFaults>();
};

TEST_F(SharedStoreRestart, AnOwnerThatStartsAnewAnswersWhatItWasAskedBefore) {
  StoreSession session(driver::make_shared_store(open_owned(database_, faults_)), endpoint_);
  const Id stream = session.stream(session.queue("q", "forever"));
  driver::Store& owner = session.store();
  faults_->shuffle(4711);  // some answers wait in the session
  constexpr u64 kFirst = 1000;
  constexpr u64 kCount = 40;
  const std::string body = "x";
  for (u64 i = 0; i < kCount; ++i) {
    driver::Commit commit;
    commit.producer.fill(static_cast<std::byte>(i + 1));
    commit.counter = 1;
    driver::Message message;
    message.body = std::as_bytes(std::span(body));
    commit.appends.push_back({stream, {message}, {}, -1});
    owner.submit(kFirst + i, commit);
  }
  std::map<u64, Code> answers;
  std::map<Code, int> seen;
  const auto take = [&](const std::vector<Completion>& out) {
    for (const Completion& one : out) {
      if (one.event != Event::answer) continue;
      EXPECT_TRUE(answers.emplace(one.ticket, one.status.code()).second);
      ++seen[one.status.code()];
    }
  };
  take(poll(owner));
  owner.submit(kFirst + kCount, driver::Inspect{});  // nobody has looked at this one
  ASSERT_TRUE(owner.start(endpoint_, true).ok());
  EXPECT_TRUE(has_news(owner));
  const auto out = poll(owner);
  take(out);
  EXPECT_EQ(answers.size(), kCount + 1);
  EXPECT_GT(seen[Code::in_doubt], 0);
  EXPECT_EQ(answers[kFirst + kCount], Code::lost);
  // Nothing of the session before comes behind the beginning of the next.
  ASSERT_FALSE(out.empty());
  EXPECT_EQ(out.back().event, Event::opened);
}

TEST_F(SharedStoreRestart, WantOfDescriptorsPasses) {
  int failures = 2;
  const auto store = driver::make_shared_store([&](const driver::Endpoint& endpoint, bool create) {
    if (failures-- > 0) return Result<std::unique_ptr<driver::OwnedDatabase>>(fail(Code::native, "too many", EMFILE));
    return open_owned(database_)(endpoint, create);
  });
  ASSERT_TRUE(store->start(endpoint_, true).ok());
  auto out = poll(*store);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].event, Event::lost);
  ASSERT_TRUE(store->start(endpoint_, true).ok());
  store->stop();
  EXPECT_TRUE(poll(*store).empty());  // of a session that is over
  EXPECT_FALSE(has_news(*store));
  ASSERT_TRUE(store->start(endpoint_, true).ok());
  out = poll(*store);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].event, Event::opened);
}

}  // namespace
}  // namespace vtx::test
