/* SPDX-License-Identifier: MPL-2.0 */
//
// Which messages are to be on disk before anybody sees them, and are not yet: those of commits that ask for a sync.
#pragma once

#include <deque>
#include <map>
#include <utility>

#include "vtx/driver/operations.hpp"

namespace vtx::rocks {

class Unsynced {
 public:
  /// From `first` on, the stream's messages are on disk with the sync of this number. Sequences only grow.
  void add(driver::Id stream, driver::Seq first, driver::u64 sync) {
    auto& waiting = streams_[stream];
    if (waiting.empty() || waiting.back().second < sync) waiting.emplace_back(first, sync);
  }
  /// The stream got delayed messages, which are on disk with this sync.
  void add_delayed(driver::Id stream, driver::u64 sync) { delayed_[stream] = sync; }
  /// They become messages of the stream, from `first` on.
  void fire(driver::Id stream, driver::Seq first) {
    if (const auto found = delayed_.find(stream); found != delayed_.end()) add(stream, first, found->second);
  }
  /// The sync with which all up to `last` are; 0: they are already, or nobody wanted it.
  driver::u64 of(driver::Id stream, driver::Seq last) const {
    const auto found = streams_.find(stream);
    driver::u64 sync = 0;
    if (found != streams_.end())
      for (const auto& [first, with] : found->second)
        if (first <= last) sync = with;  // the numbers grow, too
    return sync;
  }
  void done(driver::u64 sync) {
    std::erase_if(delayed_, [sync](const auto& entry) { return entry.second <= sync; });
    for (auto it = streams_.begin(); it != streams_.end();) {
      auto& waiting = it->second;
      while (!waiting.empty() && waiting.front().second <= sync) waiting.pop_front();
      it = waiting.empty() ? streams_.erase(it) : std::next(it);
    }
  }

 private:
  std::map<driver::Id, std::deque<std::pair<driver::Seq, driver::u64>>> streams_;  // first, sync
  std::map<driver::Id, driver::u64> delayed_;                                      // sync of the newest
};

}  // namespace vtx::rocks
