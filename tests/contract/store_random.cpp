/* SPDX-License-Identifier: MPL-2.0 */
//
// Contract: a long random life of a queue. Several stores append, claim, settle in pieces, nack, give back, die and
// settle late, are stopped and come back, while retention runs; a simple model says what must hold at each step.

#include "contract/random_model.hpp"
#include "contract/store_contract.hpp"
#include "support/random.hpp"

namespace vtx::test {
namespace {

constexpr int kStores = 3;
constexpr int kGroups = 2;
constexpr int kSteps = 2000;

/// A claim as its holder remembers it; the store may think otherwise.
struct Hand {
  int store = 0;
  int group = 0;
  driver::Claim claim;
  std::vector<u64> done;
  bool open = true;  ///< false: taken over or closed, so settling it must be fenced
};

class RandomLife {
 public:
  explicit RandomLife(const std::function<std::unique_ptr<StoreSession>()>& open) {
    for (int i = 0; i < kStores; ++i) {
      stores_.push_back(open());
      holders_.push_back(stores_.back()->holder());
    }
    const Id queue = stores_[0]->queue("q");
    stream_ = stores_[0]->stream(queue);
    for (int i = 0; i < kGroups; ++i) groups_.push_back(stores_[0]->group(queue, "g" + std::to_string(i)));
  }

  void step() {
    const auto dice = below(100);
    if (dice < 12) return append(1 + below(30));
    if (dice < 50) return claim();
    if (dice < 92) return settle();
    if (dice < 95) return die();
    if (dice < 96) return restart();
    tend();
  }

  /// Acknowledges all that is left.
  void finish() {
    for (Hand& hand : hands_)
      if (hand.open) give({{hand.group, settle_of(hand, 1.0, 0.0)}}, {&hand});
    hands_.clear();
    for (int group = 0; group < kGroups; ++group) {
      for (bool more = true; more && !testing::Test::HasFailure();) {
        Completion got = stores_[0]->claim(groups_[group], holders_[0], driver::kMaxBatch, true);
        more = got.claim.has_value();
        models_[group].claimed(got, true);
        if (!more) break;
        Hand hand{0, group, *got.claim, {}, true};
        give({{group, settle_of(hand, 1.0, 0.0)}}, {&hand});
      }
      EXPECT_TRUE(models_[group].all_acked()) << "group " << group << " lost message " << models_[group].floor();
    }
    tend();
    EXPECT_EQ(stores_[0]->stats("q").messages, 0U);
  }

 private:
  u64 below(u64 n) { return chance_.below(n); }
  bool chance(double p) { return chance_.happens(p); }
  StoreSession& any_store() { return *stores_[below(kStores)]; }

  void append(u64 count) {
    const Seq head = any_store().append(stream_, numbers(head_ + 1, head_ + count));
    ASSERT_EQ(head, head_ + count);
    for (Seq seq = head_ + 1; seq <= head; ++seq)
      for (GroupModel& model : models_) model.appended(seq);
    head_ = head;
  }

  bool empty_hands(int store, int group) const {
    for (const Hand& hand : hands_)
      if (hand.store == store && hand.group == group && hand.open) return false;
    return true;
  }

  void claim() {
    const int store = static_cast<int>(below(kStores));
    const int group = static_cast<int>(below(kGroups));
    const bool alone = empty_hands(store, group);
    const Completion got =
        stores_[store]->claim(groups_[group], holders_[store], static_cast<u32>(1 + below(100)), alone);
    models_[group].claimed(got, alone);
    if (got.claim) hands_.push_back({store, group, *got.claim, {}, true});
  }

  /// New bits of a hand, each with chance `much`, and of these some odd ones.
  Settle settle_of(Hand& hand, double much, double odd) {
    Settle settle{groups_[hand.group], hand.claim.id, hand.done, {}};
    const u32 size = static_cast<u32>(hand.claim.last - hand.claim.first + 1);
    settle.done.resize((size + 63) / 64);
    for (u32 i = 0; i < size; ++i) {
      u64& word = settle.done[i / 64];
      const u64 bit = u64{1} << i % 64;
      if ((word & bit) != 0 || !chance(much)) continue;
      word |= bit;
      if (chance(odd)) settle.odd.push_back({i, chance(0.5) ? Verdict::nacked : Verdict::unseen, {}, "by chance"});
    }
    return settle;
  }

  /// Commits the settles of these hands and lets the models know.
  void give(std::vector<std::pair<int, Settle>> parts, const std::vector<Hand*>& hands) {
    std::vector<Settle> settles;
    std::vector<u32> expected;
    for (u32 i = 0; i < parts.size(); ++i) {
      settles.push_back(parts[i].second);
      if (!hands[i]->open) expected.push_back(i);
    }
    EXPECT_EQ(any_store().settle(settles), expected);
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (hands[i]->open) learn(*hands[i], parts[i].second);
  }

  void learn(Hand& hand, const Settle& settle) {
    std::map<u32, Verdict> verdicts;
    for (const Odd& odd : settle.odd) verdicts[odd.offset] = odd.verdict;
    for (u32 i = 0; i <= hand.claim.last - hand.claim.first; ++i) {
      const auto bit = [i](const std::vector<u64>& words) {
        return i / 64 < words.size() && (words[i / 64] >> i % 64 & 1);
      };
      if (!bit(settle.done) || bit(hand.done)) continue;
      const auto verdict = verdicts.find(i);
      models_[hand.group].settled(hand.claim.id, hand.claim.first + i,
                                  verdict == verdicts.end() ? nullptr : &verdict->second);
    }
    hand.done = settle.done;
    if (hand.done == all_of(hand.claim)) hand.open = false;
  }

  void settle() {
    if (hands_.empty()) return;
    const std::size_t one = below(hands_.size());
    const std::size_t two = below(hands_.size());
    std::vector<Hand*> hands{&hands_[one]};
    if (two != one && chance(0.3)) hands.push_back(&hands_[two]);
    std::vector<std::pair<int, Settle>> parts;
    const double much = chance(0.5) ? 1.0 : 0.4;
    for (Hand* hand : hands) parts.emplace_back(hand->group, settle_of(*hand, much, 0.1));
    give(std::move(parts), hands);
    // Closed and taken claims are tried a few times more, then forgotten.
    std::erase_if(hands_, [this](const Hand& hand) { return !hand.open && chance(0.7); });
  }

  u64 beat_of(int store, int watcher) {
    const Completion beat = stores_[watcher]->run(driver::Beat{holders_[watcher], Ms{5000}});
    for (const auto& other : beat.holders)
      if (other.holder == holders_[store]) return other.count;
    return 0;
  }

  void take(int store, int watcher, u64 seen) {
    u64 expected = 0;
    for (Hand& hand : hands_) {
      if (hand.store != store || !hand.open) continue;
      ++expected;
      models_[hand.group].taken(hand.claim.id);
      hand.open = false;
    }
    EXPECT_EQ(stores_[watcher]->run(driver::TakeOver{holders_[store], seen}).count, expected);
  }

  /// Another store believes this one dead; it lives on as a new holder and settles late what it had.
  void die() {
    const int store = static_cast<int>(below(kStores));
    const int watcher = (store + 1) % kStores;
    const u64 seen = beat_of(store, watcher);
    if (chance(0.3)) {  // it beat in time after all
      stores_[store]->run(driver::Beat{holders_[store], Ms{5000}});
      EXPECT_EQ(stores_[watcher]->run(driver::TakeOver{holders_[store], seen}).count, 0U);
      return;
    }
    if (seen != 0) take(store, watcher, seen);
    if (chance(0.5)) holders_[store] = stores_[store]->holder();
  }

  void restart() {
    const int store = static_cast<int>(below(kStores));
    const int watcher = (store + 1) % kStores;
    stores_[store]->stop();
    stores_[store]->start();
    if (const u64 seen = beat_of(store, watcher)) take(store, watcher, seen);
    holders_[store] = stores_[store]->holder();
  }

  void tend() {
    any_store().tend("q");
    Seq floor = head_ + 1;
    for (const GroupModel& model : models_) floor = std::min(floor, model.floor());
    const auto stats = any_store().stats("q");
    EXPECT_LE(stats.tail, floor) << "retired above an unsettled message";
    EXPECT_EQ(stats.head, head_);
    EXPECT_EQ(stats.messages, head_ + 1 - stats.tail);
    for (const auto& group : stats.groups) EXPECT_EQ(group.depth, models_[group.name == "g0" ? 0 : 1].depth());
  }

  Chance chance_;
  std::vector<std::unique_ptr<StoreSession>> stores_;
  std::vector<Id> holders_;
  std::vector<Id> groups_;
  Id stream_ = 0;
  Seq head_ = 0;
  std::vector<GroupModel> models_{kGroups};
  std::vector<Hand> hands_;
};

TEST_P(StoreContract, RandomLifeKeepsThePromises) {
  RandomLife life([this] { return open(); });
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    life.step();
  }
  if (!HasFailure()) life.finish();
}

}  // namespace
}  // namespace vtx::test
