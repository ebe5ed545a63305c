/* SPDX-License-Identifier: MPL-2.0 */
//
// The frame around the subjects: a transaction's books, and who is to be woken after it.
#include "ledger.hpp"

#include <algorithm>

namespace vtx::sqlite {

void Ledger::reset() {
  touched_.clear();
  turns_.clear();
  taken_.clear();
  roll_back();
}

void Ledger::roll_back() {
  streams_.clear();
  for (auto& [queue, taken] : taken_) {
    turns_[queue] = std::move(taken.turn);
    auto& touched = touched_[queue];
    for (const auto& [stream, why] : taken.streams) {
      auto& known = touched.try_emplace(stream, why).first->second;  // what came after the tend was rolled back, too
      known = std::max(known, why);
    }
  }
  begin({});
}

void Ledger::begin(StoreTime now) {
  now_ = now.time_since_epoch().count();
  heads_.clear();
  mailboxes_.clear();
  appended_.clear();
  retried_.clear();
  joined_.clear();
  sooner_.clear();
  freed_.clear();
  taken_.clear();
}

/// It is to be tended. Where nobody tends for long, the turns will find what finds no room here.
void Ledger::touch(Id stream, Touch why) {
  constexpr std::size_t kMost = 10'000;
  const auto* info = stream_info(stream);
  if (info == nullptr) return;
  auto& streams = touched_[info->queue];
  if (const auto known = streams.find(stream); known != streams.end())
    known->second = std::max(known->second, why);
  else if (streams.size() < kMost)
    streams.emplace(stream, why);
}

/// Where to put what is taken of touched_, before anything is.
std::map<Id, Ledger::Touch>& Ledger::taken_of(Id queue) {
  return taken_.try_emplace(queue, Taken{turns_[queue], {}}).first->second.streams;
}

std::vector<Id> Ledger::hastened() {
  std::set<Id> groups;
  for (const Id stream : sooner_) add_groups_of(stream, groups);
  return {groups.begin(), groups.end()};
}

/// Those that read the stream.
void Ledger::add_groups_of(Id stream, std::set<Id>& groups) {
  auto rows = database_.query(
      "SELECT g.id FROM vtx_stream s JOIN vtx_group g ON g.queue = s.queue AND g.kind = s.kind AND g.peer = s.peer "
      "WHERE s.id = ?",
      stream);
  while (rows.next()) groups.insert(rows.number(0));
}

std::vector<Id> Ledger::awakened() {
  std::set<Id> groups = retried_;
  for (const Id stream : appended_) add_groups_of(stream, groups);
  return {groups.begin(), groups.end()};
}

bool Ledger::is_claimable(Id group) {
  return database_
      .value(
          "SELECT 1 FROM vtx_group g JOIN vtx_stream s ON s.queue = g.queue AND s.kind = g.kind AND s.peer = g.peer "
          "LEFT JOIN vtx_cursor c ON c.grp = g.id AND c.stream = s.id WHERE g.id = ?1 AND (EXISTS (SELECT 1 FROM "
          "vtx_message WHERE id >= (s.id << 43) + ifnull(c.next, 1) AND id < (s.id + 1) << 43) OR EXISTS (SELECT 1 "
          "FROM vtx_retry WHERE grp = g.id AND priority = s.priority AND due <= ?2) OR EXISTS (SELECT 1 FROM "
          "vtx_delayed WHERE stream = s.id AND due <= ?2)) LIMIT 1",
          group, now_)
      .has_value();
}

std::optional<std::int64_t> Ledger::next_due(Id group) {
  const auto sources = sources_of(group);
  auto due = next_retry(group, sources);
  for (const auto& source : sources) due = std::min(due, source.due);
  return due == kNever ? std::nullopt : std::optional(due);
}

}  // namespace vtx::sqlite
