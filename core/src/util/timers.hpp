/* SPDX-License-Identifier: MPL-2.0 */
//
// The timers of one driver thread, ordered by due time. Time is an argument.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "vtx/driver/clock.hpp"

namespace vtx {

/// Confined to its driver thread.
class Timers {
 public:
  using Token = std::uint64_t;  ///< 0: none

  Token at(driver::Steady due, std::function<void()> action) {
    const Token token = ++last_;
    index_[token] = queue_.emplace(due, Entry{token, std::move(action)});
    return token;
  }

  /// Sets `token` to 0. Cancelling what has fired, or 0, does nothing.
  void cancel(Token& token) {
    const auto found = index_.find(std::exchange(token, 0));
    if (found == index_.end()) return;
    queue_.erase(found->second);
    index_.erase(found);
  }

  /// Runs what is due at `now`; actions may set and cancel timers.
  bool run(driver::Steady now) {
    bool any = false;
    while (!queue_.empty() && queue_.begin()->first <= now) {
      auto node = queue_.extract(queue_.begin());
      index_.erase(node.mapped().token);
      node.mapped().action();
      any = true;
    }
    return any;
  }

  std::optional<driver::Steady> next() const {
    return queue_.empty() ? std::nullopt : std::optional(queue_.begin()->first);
  }

 private:
  struct Entry {
    Token token = 0;
    std::function<void()> action;
  };
  std::multimap<driver::Steady, Entry> queue_;
  std::unordered_map<Token, std::multimap<driver::Steady, Entry>::iterator> index_;
  Token last_ = 0;
};

}  // namespace vtx
