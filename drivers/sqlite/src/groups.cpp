/* SPDX-License-Identifier: MPL-2.0 */
//
// An operator's hand on groups: where one goes on, and the end of one that nobody wants any more.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::sqlite {
namespace {

Status no_queue(const std::string& name) { return {Code::not_found, "no queue " + name}; }
Status no_group(const driver::Steer& steer) {
  return {Code::not_found, "queue " + steer.queue + " has no group '" + steer.group + "'"};
}

}  // namespace

std::vector<Id> Ledger::users_of(const std::string& queue, const driver::GroupName& group) {
  const auto id = static_cast<Id>(database_.value("SELECT id FROM vtx_queue WHERE name = ?", queue).value_or(0));
  std::vector<Id> users;
  const std::string hold = group.kind == "mailbox" ? driver::hold_of_peer(group.peer) : "";
  auto rows = database_.query(
      "SELECT holder FROM vtx_claim WHERE grp = ?1 UNION SELECT holder FROM vtx_hold WHERE queue = ?2 AND what = ?3",
      find_group(id, group), id, hold);
  while (rows.next()) users.push_back(rows.number(0));
  return users;
}

/// Claims end with their rows: who settles late finds none, and is fenced. Dead letters that were on their way back lie where they lay.
void Ledger::seek(const driver::Steer& steer, Completion& out) {
  const auto start = driver::parse_start(steer.from);
  if (!start) {
    out.status = {Code::invalid, start.error().text()};
    return;
  }
  const auto queue = database_.value("SELECT id FROM vtx_queue WHERE name = ?", steer.queue);
  const Id group = queue ? find_group(static_cast<Id>(*queue), driver::parse_group_name(steer.group)) : 0;
  if (group == 0) {
    out.status = queue ? no_group(steer) : no_queue(steer.queue);
    return;
  }
  std::vector<std::pair<Id, int>> streams;
  {
    auto rows = database_.query(
        "SELECT s.id, s.priority FROM vtx_group g JOIN vtx_stream s ON s.queue = g.queue AND s.kind = g.kind AND "
        "s.peer = g.peer WHERE g.id = ? ORDER BY s.priority",
        group);
    while (rows.next()) streams.emplace_back(rows.number(0), static_cast<int>(rows.integer(1)));
  }
  const driver::Start beside = start_beside(streams.front().first, *start);
  for (const auto& [stream, priority] : streams) {
    const Seq place = position(stream, priority == 0 ? *start : beside);
    out.count += pass_over(group, stream, place);
    move_cursor(group, stream, place);
    if (priority != 0) continue;
    out.first = place;
    out.head = head_of(stream).last;
  }
  database_.run("DELETE FROM vtx_claim WHERE grp = ?", group);
  database_.run("DELETE FROM vtx_retry WHERE grp = ?", group);
  if (out.count > 0) count(static_cast<Id>(*queue), group, "skipped", out.count);
  retried_.insert(group);
}

/// Messages before `end` that the group has not settled: fresh ones, in hands, to come again. In a dead-letter queue, which has holes, each
/// row is counted.
u64 Ledger::pass_over(Id group, Id stream, Seq end) {
  const auto next = static_cast<Seq>(
      database_.value("SELECT next FROM vtx_cursor WHERE grp = ? AND stream = ?", group, stream).value_or(1));
  const Seq first = std::max(next, tail_of(stream));
  const Seq last = std::min(end, head_of(stream).last + 1);
  u64 passed = first < last ? last - first : 0;
  if (first < last && stream_info(stream)->dead)
    passed = static_cast<u64>(database_
                                  .value("SELECT count(*) FROM vtx_message WHERE id >= ? AND id < ?",
                                         row_of(stream, first), row_of(stream, last))
                                  .value_or(0));
  passed += static_cast<u64>(
      database_
          .value("SELECT sum(min(last + 1, ?3) - first) FROM vtx_retry WHERE grp = ?1 AND stream = ?2 AND first < ?3",
                 group, stream, std::min(end, kMaxSeq))
          .value_or(0));
  auto rows = database_.query(
      "SELECT id, grp, stream, first, last, delivery, done, counted, priority FROM vtx_claim WHERE grp = ? AND stream "
      "= ?",
      group, stream);
  while (rows.next()) {
    const auto claim = read_claim(rows);
    for (u32 offset = 0; offset < claim.size() && claim.first + offset < end; ++offset)
      passed += claim.has(offset) ? 0 : 1;
  }
  return passed;
}

void Ledger::drop_group(const driver::Steer& steer, Completion& out) {
  const auto queue = database_.value("SELECT id FROM vtx_queue WHERE name = ?", steer.queue);
  const auto name = driver::parse_group_name(steer.group);
  const Id group = queue ? find_group(static_cast<Id>(*queue), name) : 0;
  if (group == 0) {
    out.status = queue ? no_group(steer) : no_queue(steer.queue);
    return;
  }
  const auto id = static_cast<Id>(*queue);
  if (name.kind == "mailbox") {
    out.count = remove_mailbox(id, name.peer);
    return;
  }
  std::vector<Id> streams;
  {
    auto rows = database_.query("SELECT id FROM vtx_stream WHERE queue = ? AND kind = ? AND peer = ?", id, name.kind,
                                name.peer);
    while (rows.next()) streams.push_back(rows.number(0));
  }
  for (const Id stream : streams) out.count += pass_over(group, stream, kMaxSeq);
  remove_group(group);
  if (out.count > 0) count(id, 0, "skipped", out.count);
}

/// What it counted stays in the queue's counters.
void Ledger::remove_group(Id group) {
  database_.run(
      "INSERT INTO vtx_tally (queue, grp, what, n) SELECT queue, 0, what, n FROM vtx_tally WHERE queue = ? AND grp = ? "
      "ON CONFLICT (queue, grp, what) DO UPDATE SET n = n + excluded.n",
      queue_of_group(group), group);
  for (const char* statement : {"DELETE FROM vtx_tally WHERE grp = ?", "DELETE FROM vtx_retry WHERE grp = ?",
                                "DELETE FROM vtx_claim WHERE grp = ?", "DELETE FROM vtx_cursor WHERE grp = ?",
                                "DELETE FROM vtx_group WHERE id = ?"})
    database_.run(statement, group);
  retried_.erase(group);
}

}  // namespace vtx::sqlite
