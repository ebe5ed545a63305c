/* SPDX-License-Identifier: MPL-2.0 */
//
// "check": what the driver found in its database, and what the queues of any store show: groups that hold back retention, dead letters.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "codec/properties.hpp"
#include "manager/admin_request.hpp"

namespace vtx {

using namespace driver;
using nlohmann::json;

namespace {

using Level = Finding::Level;
constexpr auto kLagsAfter = std::chrono::hours(1);
constexpr std::size_t kNamedAtMost = 10;

struct Laggard {
  const QueueStats* queue;
  const GroupStats* group;
};

/// Groups whose unsettled messages cannot go: those that have not come on for long, the longest first.
std::vector<Laggard> laggards_of(const std::vector<QueueStats>& queues, StoreTime now) {
  std::vector<Laggard> found;
  for (const QueueStats& queue : queues) {
    if (queue.declared.retain != "consumed") continue;
    for (const GroupStats& group : queue.groups)
      if (group.oldest != StoreTime{} && now - group.oldest > kLagsAfter) found.push_back({&queue, &group});
  }
  std::ranges::sort(found, {}, [](const Laggard& one) { return one.group->oldest; });
  return found;
}

void add_retention(const std::vector<QueueStats>& queues, StoreTime now, std::vector<Finding>& findings) {
  const auto laggards = laggards_of(queues, now);
  if (laggards.empty()) findings.push_back({Level::ok, "retention", "no group has held it back for an hour", ""});
  for (const auto& [queue, group] : std::span(laggards).first(std::min(laggards.size(), kNamedAtMost)))
    findings.push_back(
        {Level::warning, "retention",
         fmt::format(
             "group '{}' of queue '{}' holds back {} messages, {} of them in consumers' hands, the oldest since "
             "{}",
             group->name, queue->name, group->depth, group->claimed, rfc3339(group->oldest)),
         fmt::format("start a consumer of it, or end it with vtx groups drop '...?queue={}' {}", queue->name,
                     group->name)});
  if (laggards.size() > kNamedAtMost)
    findings.push_back({Level::warning, "retention",
                        fmt::format("{} more groups hold it back", laggards.size() - kNamedAtMost),
                        "vtx groups list names them, queue by queue"});
}

void add_dead_letters(const std::vector<QueueStats>& queues, std::vector<Finding>& findings) {
  bool none = true;
  for (const QueueStats& queue : queues) {
    if (queue.dead == 0) continue;
    none = false;
    findings.push_back({Level::warning, "dead letters", fmt::format("{} of queue '{}'", queue.dead, queue.name),
                        "look at them with vtx dead list; give them back or drop them"});
  }
  if (none) findings.push_back({Level::ok, "dead letters", "0", ""});
}

}  // namespace

/// Opening has applied what was missing of the schema; migrating makes a database of a file that is none yet, too.
Result<json> run_check(const AdminRequest& request) {
  auto checked = request.ask(Check{}, request.word(0) == "migrate");
  if (!checked) return tl::unexpected<Status>(checked.error());
  // Of a damaged database nothing more can be said.
  if (std::ranges::find(checked->findings, Level::error, &Finding::level) == checked->findings.end()) {
    const auto queues = request.ask(Inspect{});
    if (!queues) return tl::unexpected<Status>(queues.error());
    add_retention(queues->queues, system_clock().wall(), checked->findings);
    add_dead_letters(queues->queues, checked->findings);
  }
  static constexpr std::array kLevels{"ok", "warning", "error"};
  json out{{"findings", json::array()}};
  for (const Finding& finding : checked->findings) {
    out["findings"].push_back({{"level", kLevels.at(static_cast<std::size_t>(finding.level))},
                               {"subject", finding.subject},
                               {"text", finding.text},
                               {"remedy", finding.remedy}});
  }
  return out;
}

}  // namespace vtx
