/* SPDX-License-Identifier: MPL-2.0 */
//
// The scene of the contract tests in which messages go before groups have settled them, and what a queue says of that.
#pragma once

#include <algorithm>
#include <map>

#include "contract/store_contract.hpp"

namespace vtx::test {

inline std::map<std::string, u64> counters_of(StoreSession& session, const std::string& queue) {
  const auto stats = session.stats(queue);
  return {stats.counters.begin(), stats.counters.end()};
}

inline driver::GroupStats group_stats(StoreSession& session, const std::string& queue, const std::string& name = "g") {
  const auto stats = session.stats(queue);
  const auto found = std::ranges::find(stats.groups, name, &driver::GroupStats::name);
  EXPECT_NE(found, stats.groups.end());
  return found == stats.groups.end() ? driver::GroupStats{} : *found;
}

/// A history: a queue that retains the newest four messages, its stream, a group that has seen nothing, a holder.
struct History {
  explicit History(std::unique_ptr<StoreSession> opened, const std::string& retain = "4", std::string called = "h")
      : a(std::move(opened)),
        name(std::move(called)),
        queue(a->queue(name, retain)),
        stream(a->stream(queue)),
        group(a->group(queue)),
        holder(a->holder()) {}

  void append(u64 first, u64 last) { EXPECT_EQ(a->append(stream, numbers(first, last)), last); }
  Completion claim(u32 messages, bool alone = false) { return a->claim(group, holder, messages, alone); }
  u64 trimmed() { return group_stats(*a, name).trimmed; }

  std::unique_ptr<StoreSession> a;
  std::string name;
  Id queue, stream, group, holder;
};

}  // namespace vtx::test
