/* SPDX-License-Identifier: MPL-2.0 */
//
// Looking at queues without touching them.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::sqlite {
namespace {
constexpr int kSample = 10000;  // bytes of longer streams are estimated from so many newest rows
}

void Ledger::apply(const driver::Inspect& inspect, Completion& out) {
  heads_.clear();
  std::vector<std::pair<Id, std::string>> queues;
  {
    auto rows =
        database_.query("SELECT id, name FROM vtx_queue WHERE ?1 = '' OR name = ?1 ORDER BY name", inspect.queue);
    while (rows.next()) queues.emplace_back(rows.number(0), rows.text(1));
  }
  if (queues.empty() && !inspect.queue.empty()) out.status = {Code::not_found, "no queue " + inspect.queue};
  for (auto& [id, name] : queues) out.queues.push_back(stats_of(id, std::move(name), inspect.mailboxes));
  heads_.clear();
}

driver::QueueStats Ledger::stats_of(Id queue, std::string name, bool mailboxes) {
  driver::QueueStats stats;
  stats.name = std::move(name);
  {
    auto rows = database_.query("SELECT retain, size_limit FROM vtx_queue WHERE id = ?", queue);
    if (rows.next()) stats.declared = {std::string(rows.text(0)), std::string(rows.text(1))};
  }
  std::vector<std::pair<Id, bool>> streams;
  {
    auto rows = database_.query("SELECT id, kind = 'main' AND priority = 0 FROM vtx_stream WHERE queue = ?", queue);
    while (rows.next()) streams.emplace_back(rows.number(0), rows.integer(1) != 0);
  }
  stats.tail = 1;  // where there is no main stream yet
  stats.delayed =
      static_cast<u64>(database_.value("SELECT sum(delayed) FROM vtx_stream WHERE queue = ?", queue).value_or(0));
  for (const auto& [stream, main] : streams) {
    add_messages(stream, stats);
    if (!main) continue;
    stats.head = head_of(stream).last;
    stats.tail = tail_of(stream);
  }
  if (const Id dead = dead_stream(stats.name, false)) stats.dead = rows_in(dead);
  add_groups(queue, mailboxes, stats);
  auto rows = database_.query("SELECT what, sum(n) FROM vtx_tally WHERE queue = ? GROUP BY what ORDER BY what", queue);
  while (rows.next()) stats.counters.emplace_back(rows.text(0), rows.number(1));
  return stats;
}

/// A stream has no holes, so its ends will do; of a dead-letter queue each row is counted.
u64 Ledger::rows_in(Id stream) {
  if (stream_info(stream)->dead)
    return static_cast<u64>(database_
                                .value("SELECT count(*) FROM vtx_message WHERE id >= ? AND id < ?", row_of(stream, 0),
                                       row_of(stream + 1, 0))
                                .value_or(0));
  return head_of(stream).last + 1 - tail_of(stream);
}

void Ledger::add_messages(Id stream, driver::QueueStats& stats) {
  const auto count = rows_in(stream);
  if (count == 0) return;
  stats.messages += count;
  // Where a size is retained and all of it has been counted, the row knows.
  if (const auto exact =
          database_.value("SELECT bytes FROM vtx_stream WHERE id = ? AND bytes_from <= ?", stream, tail_of(stream))) {
    stats.bytes += static_cast<u64>(*exact);
    return;
  }
  const auto bytes = static_cast<u64>(database_
                                          .value("SELECT sum(n) FROM (SELECT bytes AS n FROM vtx_message WHERE id "
                                                 ">= ? AND id < ? ORDER BY id DESC LIMIT ?)",
                                                 row_of(stream, 0), row_of(stream + 1, 0), kSample)
                                          .value_or(0));
  stats.bytes += count <= kSample ? bytes : bytes / kSample * count;
}

u64 Ledger::waiting_in(Id group) {
  return static_cast<u64>(
      database_.value("SELECT sum(last - first + 1) FROM vtx_retry WHERE grp = ?", group).value_or(0));
}

u64 Ledger::claimed_in(Id group) {
  u64 count = 0;
  auto rows = database_.query(
      "SELECT id, grp, stream, first, last, delivery, done, counted, priority FROM vtx_claim WHERE grp = ?", group);
  while (rows.next()) {
    const auto claim = read_claim(rows);
    for (u32 offset = 0; offset < claim.size(); ++offset) count += claim.has(offset) ? 0 : 1;
  }
  return count;
}

void Ledger::add_groups(Id queue, bool mailboxes, driver::QueueStats& stats) {
  std::vector<std::pair<Id, driver::GroupStats>> groups;
  {
    auto rows = database_.query(
        "SELECT id, kind, peer, name, filter FROM vtx_group WHERE queue = ? ORDER BY kind, peer, name", queue);
    while (rows.next()) {
      groups.emplace_back(rows.number(0), driver::GroupStats{});
      groups.back().second.name =
          driver::to_text({std::string(rows.text(1)), std::string(rows.text(2)), std::string(rows.text(3))});
      groups.back().second.filter = rows.text(4);
    }
  }
  for (auto& [id, group] : groups) {
    group.retrying = waiting_in(id);
    group.claimed = claimed_in(id);
    group.depth = group.retrying + group.claimed;
    group.trimmed = static_cast<u64>(
        database_.value("SELECT n FROM vtx_tally WHERE queue = ? AND grp = ? AND what = 'trimmed'", queue, id)
            .value_or(0));
    // Streams have no holes, so positions will do and nothing is counted row by row (in a dead-letter queue it is a few too many).
    auto rows = database_.query(
        "SELECT sum(max(0, ifnull((SELECT max(id) FROM vtx_message WHERE id >= s.id << 43 AND id < (s.id + 1) << 43) + "
        "1 - "
        "max((s.id << 43) + ifnull(c.next, 1), (SELECT min(id) FROM vtx_message WHERE id >= s.id << 43 AND id < (s.id "
        "+ 1) << 43)), 0))) "
        "FROM vtx_group g JOIN vtx_stream s ON s.queue = g.queue AND s.kind = g.kind AND s.peer = g.peer "
        "LEFT JOIN vtx_cursor c ON c.grp = g.id AND c.stream = s.id WHERE g.id = ?",
        id);
    if (rows.next()) group.depth += rows.number(0);
    const bool mailbox = driver::parse_group_name(group.name).kind == "mailbox";
    if (mailbox && !mailboxes && group.depth == 0) continue;
    add_place(id, group);
    stats.groups.push_back(std::move(group));
  }
}

/// Where the group reads on, and how old what it still needs is.
void Ledger::add_place(Id group, driver::GroupStats& stats) {
  struct Place {
    Id stream;
    Seq next;
    bool first;
  };
  std::vector<Place> places;
  {
    auto rows = database_.query(
        "SELECT s.id, ifnull(c.next, 1), s.priority = 0 FROM vtx_group g JOIN vtx_stream s ON s.queue = g.queue AND "
        "s.kind = g.kind AND s.peer = g.peer LEFT JOIN vtx_cursor c ON c.grp = g.id AND c.stream = s.id WHERE g.id = ?",
        group);
    while (rows.next()) places.push_back({rows.number(0), rows.number(1), rows.integer(2) != 0});
  }
  std::optional<std::int64_t> oldest;
  for (const auto& place : places) {
    const Seq floor = floor_of(group, place.stream, place.next);
    if (place.first) stats.position = std::max(floor, tail_of(place.stream));
    const auto stored = database_.value("SELECT stored FROM vtx_message WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
                                        row_of(place.stream, std::min(floor, kMaxSeq)), row_of(place.stream + 1, 0));
    if (stored) oldest = std::min(*stored, oldest.value_or(*stored));
  }
  if (oldest) stats.oldest = StoreTime(Ms(*oldest));
}

/// The first message of a stream that the group may still need.
Seq Ledger::floor_of(Id group, Id stream, Seq next) {
  Seq floor = next;
  const auto retry = database_.value("SELECT min(first) FROM vtx_retry WHERE stream = ? AND grp = ?", stream, group);
  if (retry) floor = std::min(floor, static_cast<Seq>(*retry));
  auto rows = database_.query(
      "SELECT id, grp, stream, first, last, delivery, done, counted, priority FROM vtx_claim WHERE grp = ? AND stream "
      "= ?",
      group, stream);
  while (rows.next()) {
    const auto claim = read_claim(rows);
    u32 offset = 0;
    while (offset < claim.size() && claim.has(offset)) ++offset;
    if (offset < claim.size()) floor = std::min(floor, claim.first + offset);
  }
  return floor;
}

}  // namespace vtx::sqlite
