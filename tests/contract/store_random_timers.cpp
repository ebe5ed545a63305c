/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: a random life with delays, times to live, priorities and a limit, while time passes, messages fail, holders die and stores
// begin again. Nothing comes early, late, below something more urgent, or twice at once; nothing is lost uncounted.
#include <string>
#include <vector>

#include "contract/store_contract.hpp"
#include "support/random.hpp"

namespace vtx::test {
namespace {

using std::chrono::steady_clock;

constexpr int kStores = 2;
constexpr int kSteps = 600;
constexpr u64 kLimit = 150;

/// A message as its sender knows it; its body is its index.
struct Sent {
  int priority = 0;
  Ms delay{};
  Ms ttl{};
  Ms advanced{};  ///< when it was sent: by the time that the test let pass
  steady_clock::time_point begun;
  enum class State { waiting, held, over } state = State::waiting;
  Ms again{};  ///< not before so much was advanced
};

struct Held {
  int store = 0;
  driver::Claim claim;
  std::vector<std::size_t> messages;
};

class RandomTimers {
 public:
  RandomTimers(StorePlace& place, const std::function<std::unique_ptr<StoreSession>()>& open) : place_(place) {
    for (int i = 0; i < kStores; ++i) {
      stores_.push_back(open());
      holders_.push_back(stores_.back()->holder());
    }
    driver::OpenQueue queue;
    queue.queue = "q";
    queue.limit = std::to_string(kLimit);
    queue.defaults.retain = "consumed";
    const Id id = stores_[0]->run(queue).id;
    stream_ = stores_[0]->stream(id);
    group_ = stores_[0]->group(id);
  }

  void step() {
    const auto dice = below(100);
    if (dice < 30) return append(1 + below(12));
    if (dice < 60) return claim(static_cast<int>(below(kStores)));
    if (dice < 85) return settle();
    if (dice < 90) return advance(Ms(1 + below(8)));
    if (dice < 92) return die();
    tend();
  }

  /// Lets everything become due, and acknowledges it.
  void finish() {
    while (!held_.empty() && !testing::Test::HasFailure()) settle();
    advance(Ms{120});
    while (!testing::Test::HasFailure()) {
      claim(0);
      if (held_.empty()) break;
      while (!held_.empty()) end(0, false);
    }
    tend();
    for (std::size_t i = 0; i < sent_.size(); ++i)
      if (sent_[i].state != Sent::State::over && sent_[i].ttl > Ms::zero()) ++vanished_;
    for (std::size_t i = 0; i < sent_.size(); ++i)
      EXPECT_TRUE(sent_[i].state == Sent::State::over || sent_[i].ttl > Ms::zero()) << "message " << i << " is lost";
    u64 expired = 0;
    const auto stats = stores_[0]->stats("q");
    for (const auto& [what, n] : stats.counters)
      if (what == "expired") expired = n;
    EXPECT_EQ(expired, told_expired_ + vanished_);
    EXPECT_EQ(stats.messages + stats.delayed, 0U);
  }

 private:
  u64 below(u64 n) { return chance_.below(n); }
  bool chance(double p) { return chance_.happens(p); }

  void append(u64 count) {
    std::vector<Sent> sent(count);
    std::vector<std::string> bodies(count);
    driver::Append append;
    append.stream = stream_;
    append.priority = chance(0.5) ? 0 : static_cast<int>(below(10));
    for (u64 i = 0; i < count; ++i) {
      bodies[i] = std::to_string(sent_.size() + i);
      if (chance(0.3)) sent[i].delay = Ms(1 + below(60));
      if (chance(0.1)) sent[i].ttl = Ms(1 + below(40));
      sent[i].priority = append.priority;
      sent[i].advanced = advanced_;
      driver::Message message;
      message.body = bytes_of(bodies[i]);
      message.delay = sent[i].delay;
      message.ttl = sent[i].ttl;
      append.messages.push_back(message);
    }
    driver::Commit commit;
    commit.appends.push_back(std::move(append));
    const auto begun = steady_clock::now();
    const Completion answer = stores_[below(kStores)]->ask(commit);
    if (answer.status.code() == Code::full) {
      EXPECT_LT(answer.room.messages, count);
      return;
    }
    ASSERT_TRUE(answer.status.ok()) << answer.status.text();
    for (Sent& one : sent) one.begun = begun;
    std::ranges::move(sent, std::back_inserter(sent_));
  }

  /// At most so much time has passed for the store since it was sent.
  Ms age_at_most(const Sent& sent) const {
    return std::chrono::ceil<Ms>(steady_clock::now() - sent.begun) + advanced_ - sent.advanced + Ms{1};
  }
  bool must_be_there(const Sent& sent) const {
    return sent.state == Sent::State::waiting && sent.ttl == Ms::zero() && advanced_ > sent.again &&
           advanced_ - sent.advanced > sent.delay;
  }

  void claim(int store) {
    int highest = -1;
    for (const Sent& sent : sent_)
      if (must_be_there(sent)) highest = std::max(highest, sent.priority);
    const Completion got =
        stores_[store]->claim(group_, holders_[store], static_cast<u32>(1 + below(20)), /*alone*/ true);
    if (!got.claim) {
      EXPECT_LT(highest, 0) << "a message of priority " << highest << " ought to be there";
      return;
    }
    EXPECT_GE(got.claim->priority, highest);
    Held held{store, *got.claim, {}};
    for (const auto& message : got.messages) {
      const auto number =
          std::stoull(std::string(reinterpret_cast<const char*>(message.body.data()), message.body.size()));
      Sent& sent = sent_.at(number);
      EXPECT_EQ(sent.state, Sent::State::waiting) << "message " << number << " is out already";
      EXPECT_EQ(sent.priority, got.claim->priority) << number;
      EXPECT_GE(age_at_most(sent), sent.delay) << "message " << number << " is early";
      sent.state = Sent::State::held;
      held.messages.push_back(number);
    }
    held_.push_back(std::move(held));
  }

  void settle() {
    if (!held_.empty()) end(below(held_.size()), true);
  }

  /// Settles the whole of a claim, some of it with odd verdicts.
  void end(std::size_t which, bool odd) {
    const Held held = held_[which];
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(which));
    Settle settle{group_, held.claim.id, all_of(held.claim), {}};
    ASSERT_EQ(held.messages.size(), held.claim.last - held.claim.first + 1);
    for (u32 i = 0; i < held.messages.size(); ++i) {
      Sent& sent = sent_[held.messages[i]];
      sent.state = Sent::State::over;
      if (sent.ttl > Ms::zero() && age_at_most(sent) > sent.delay + sent.ttl) {
        settle.odd.push_back({i, Verdict::expired, {}, ""});
        ++told_expired_;
      } else if (odd && chance(0.2)) {
        const Ms delay = chance(0.5) ? Ms{} : Ms(1 + below(30));
        settle.odd.push_back({i, Verdict::nacked, delay, "by chance"});
        sent.state = Sent::State::waiting;
        sent.again = advanced_ + delay;
      }
    }
    EXPECT_TRUE(stores_[below(kStores)]->settle({settle}).empty());
  }

  void advance(Ms by) {
    place_.advance(by);
    advanced_ += by;
  }

  /// One store believes the other dead.
  void die() {
    const int store = static_cast<int>(below(kStores));
    const int watcher = 1 - store;
    u64 seen = 0;
    for (const auto& other : stores_[watcher]->run(driver::Beat{holders_[watcher], Ms{5000}}).holders)
      if (other.holder == holders_[store]) seen = other.count;
    if (seen == 0) return;
    stores_[watcher]->run(driver::TakeOver{holders_[store], seen});
    for (const Held& held : held_) {
      if (held.store != store) continue;
      for (const std::size_t number : held.messages) sent_[number].state = Sent::State::waiting;
    }
    std::erase_if(held_, [&](const Held& held) { return held.store == store; });
    holders_[store] = stores_[store]->holder();
  }

  void tend() {
    stores_[below(kStores)]->tend("q");
    const auto stats = stores_[0]->stats("q");
    EXPECT_LE(stats.messages + stats.delayed, kLimit);
  }

  StorePlace& place_;
  Chance chance_;
  std::vector<std::unique_ptr<StoreSession>> stores_;
  std::vector<Id> holders_;
  Id stream_ = 0, group_ = 0;
  Ms advanced_{};
  std::vector<Sent> sent_;
  std::vector<Held> held_;
  u64 told_expired_ = 0;  ///< by their receiver
  u64 vanished_ = 0;      ///< before anybody came for them
};

TEST_P(StoreContract, RandomTimersKeepThePromises) {
  RandomTimers life(place(), [this] { return open(); });
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    life.step();
  }
  if (!HasFailure()) life.finish();
}

}  // namespace
}  // namespace vtx::test
