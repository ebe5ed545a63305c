/* SPDX-License-Identifier: MPL-2.0 */
//
// What must be true of every store whatever happens, as a model that knows nothing of cursors, claims tables or
// retention: one small record a message and group.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "contract/store_session.hpp"

namespace vtx::test {

/// One group's view of one stream. Checks what the store answers against what may be.
class GroupModel {
 public:
  enum class State { waiting, leased, acked };
  struct Entry {
    State state = State::waiting;
    u32 delivered = 0;  ///< deliveries that count
    bool fresh = true;  ///< never leased: comes in order
    Id claim = 0;       ///< leased: by which
  };

  void appended(Seq seq) { entries_[seq]; }

  /// A claim was answered.
  void claimed(const Completion& got, bool alone) {
    if (!got.claim) return claimed_nothing(got, alone);
    const driver::Claim& claim = *got.claim;
    ASSERT_FALSE(got.messages.empty());
    ASSERT_EQ(got.messages.size(), claim.last - claim.first + 1);
    const bool fresh = entries_.at(claim.first).fresh;
    if (fresh) {
      EXPECT_EQ(retries_, 0U) << "fresh messages before due retries";
      EXPECT_EQ(claim.first, next_fresh_) << "fresh messages out of order";
      next_fresh_ = claim.last + 1;
    }
    if (claim.delivery > 1) {
      EXPECT_TRUE(alone) << "a failed message went to hands that were not empty";
      EXPECT_EQ(got.messages.size(), 1U) << "a failed message has company";
    }
    const auto bodies = texts(got);
    for (std::size_t i = 0; i < got.messages.size(); ++i) {
      const driver::Message& message = got.messages[i];
      EXPECT_EQ(message.seq, claim.first + i);
      EXPECT_EQ(bodies[i], std::to_string(message.seq));
      Entry& entry = entries_.at(message.seq);
      EXPECT_EQ(entry.state, State::waiting) << message.seq << " is not free";
      EXPECT_EQ(entry.fresh, fresh) << "fresh and redelivered messages in one claim";
      EXPECT_EQ(entry.delivered + 1, claim.delivery) << message.seq;
      retries_ -= entry.fresh ? 0 : 1;
      entry = {State::leased, claim.delivery, false, claim.id};
    }
  }

  /// A settle that was not fenced brought a new bit. `verdict` nullptr: acknowledged.
  void settled(Id claim, Seq seq, const Verdict* verdict) {
    Entry& entry = entries_.at(seq);
    EXPECT_EQ(entry.state, State::leased) << seq;
    EXPECT_EQ(entry.claim, claim) << seq;
    if (!verdict) {
      entry.state = State::acked;
      return;
    }
    give_back(entry);
    if (*verdict == Verdict::unseen) --entry.delivered;
  }

  /// The claim was taken over.
  void taken(Id claim) {
    for (auto& [seq, entry] : entries_)
      if (entry.state == State::leased && entry.claim == claim) give_back(entry);
  }

  /// The least sequence that the group still needs.
  Seq floor() const {
    for (const auto& [seq, entry] : entries_)
      if (entry.state != State::acked) return seq;
    return entries_.size() + 1;
  }
  bool all_acked() const { return floor() == entries_.size() + 1; }
  u64 depth() const {
    u64 count = 0;
    for (const auto& [seq, entry] : entries_) count += entry.state != State::acked ? 1 : 0;
    return count;
  }

 private:
  void claimed_nothing(const Completion& got, bool alone) const {
    if (got.retry_waiting) {
      EXPECT_FALSE(alone) << "empty hands were refused";
      EXPECT_GT(retries_, 0U) << "no retry is waiting";
      return;
    }
    EXPECT_EQ(retries_, 0U) << "a retry was not offered";
    EXPECT_EQ(next_fresh_, entries_.size() + 1) << "a fresh message was not offered";
  }
  void give_back(Entry& entry) {
    entry.state = State::waiting;
    ++retries_;
  }

  std::map<Seq, Entry> entries_;
  Seq next_fresh_ = 1;  ///< the first never leased
  u64 retries_ = 0;     ///< how many wait that were leased before
};

}  // namespace vtx::test
