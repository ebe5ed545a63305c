/* SPDX-License-Identifier: MPL-2.0 */
//
// Whose holders are whose. A holder is whose session it beat in last; so one whose connection was cut and who comes back in another brings
// its holders along.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "vtx/driver/operations.hpp"

namespace vtx::remote {

/// Who keeps holders: a number that the owner of the database gives to each session, never twice.
using Keeper = driver::u64;

/// One thread at a time.
class HolderBook {
 public:
  /// To be told of everything that is asked and answered in a keeper's session.
  void asked(Keeper keeper, driver::u64 ticket, const driver::Operation& operation) {
    if (const auto* beat = std::get_if<driver::Beat>(&operation)) beats_[{keeper, ticket}] = beat->holder;
  }
  void answered(Keeper keeper, const driver::Completion& answer) {
    const auto beat = beats_.extract({keeper, answer.ticket});
    if (answer.event != driver::Event::answer || beat.empty()) return;
    if (answer.status.ok())
      keepers_[answer.id] = keeper;
    else if (answer.status.code() == Code::fenced)
      keepers_.erase(beat.mapped());
  }
  /// Takes the keeper's holders out of the book.
  std::vector<driver::Id> take(Keeper keeper) {
    std::vector<driver::Id> holders;
    std::erase_if(keepers_, [&](const auto& entry) {
      if (entry.second == keeper) holders.push_back(entry.first);
      return entry.second == keeper;
    });
    forget_questions(keeper);
    return holders;
  }
  /// Its session is over, its holders may come back in another.
  void forget_questions(Keeper keeper) {
    beats_.erase(beats_.lower_bound({keeper, 0}), beats_.upper_bound({keeper, UINT64_MAX}));
  }
  bool has(Keeper keeper) const {
    for (const auto& [holder, its] : keepers_)
      if (its == keeper) return true;
    return false;
  }

 private:
  std::map<driver::Id, Keeper> keepers_;
  std::map<std::pair<Keeper, driver::u64>, driver::Id> beats_;  // asked and not answered: (keeper, ticket) → holder
};

}  // namespace vtx::remote
