/* SPDX-License-Identifier: MPL-2.0 */
//
// Letting go of what every group has settled, or of what is too old, too much or no longer wanted, settled or not: whole ranges from the
// front of a stream, some thousand rows a call.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::sqlite {
namespace {

using Kind = driver::Retention::Kind;

constexpr u64 kRetireRows = 4000;  // a few milliseconds under the write lock
constexpr u64 kRowsAStream = 40;   // what a look at a stream takes in the time of so many
// Of the mailboxes of a queue, which may be many thousands, in one call: those that something was done to here, and others in turn.
constexpr std::size_t kTouchedAtOnce = 256;
constexpr std::size_t kOthersInTurn = 64;
// Age comes by itself: all streams that hold something are looked at in rounds.
constexpr int kLooks = 1000;  // 1 µs each
constexpr std::int64_t kRoundMs = 500;
constexpr std::int64_t kForgetEachMs = 60'000;
constexpr auto kProducerMemory = std::chrono::hours(24);

}  // namespace

/// What one call may remove at most.
Ledger::Range Ledger::step_of(Id stream) {
  const Seq tail = tail_of(stream);
  return {tail, std::min(head_of(stream).last + 1, tail + kRetireRows)};
}

void Ledger::apply(const driver::Tend& tend, Completion& out) {
  Id queue = 0;
  driver::Retention retention;
  {
    auto rows = database_.query("SELECT id, retain, size_limit FROM vtx_queue WHERE name = ?", tend.queue);
    if (rows.next()) {
      queue = rows.number(0);
      out.declared = {std::string(rows.text(1)), std::string(rows.text(2))};
      // A word that this library does not know takes nothing away.
      retention = driver::parse_retention(rows.text(1)).value_or(driver::Retention{Kind::forever, {}, 0});
    }
  }
  if (queue == 0) {
    out.status = {Code::not_found, "no queue " + tend.queue};
    return;
  }
  forget_producers();
  fire_all(queue, out);
  // Appending counts bytes as long as the stream's row does. A queue that was declared otherwise must not pay for it.
  if (retention.kind != Kind::size)
    database_.run(
        "UPDATE vtx_stream SET bytes = NULL, bytes_from = NULL WHERE queue = ?1 AND bytes IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM vtx_queue WHERE id = ?1 AND max_bytes IS NOT NULL)",
        queue);
  if (retention.kind == Kind::forever)
    taken_of(queue).merge(touched_[queue]);
  else
    retire_all(queue, retention, out);
}

/// Begins where the latest call came to its end, so that a stream which always has more holds up no other.
void Ledger::retire_all(Id queue, const driver::Retention& retention, Completion& out) {
  auto& taken = taken_of(queue);
  Turn& turn = turns_[queue];
  if (turn.retain != out.declared.retain) {
    turn = Turn();
    turn.retain = out.declared.retain;
  }
  const std::set<Id> streams = streams_to_tend(queue, retention, turn, taken, out.more);
  u64 cost = 0;
  auto next = streams.upper_bound(turn.tended);
  for (std::size_t i = 0; i < streams.size(); ++i, ++next) {
    if (next == streams.end()) next = streams.begin();
    bool rest = cost >= kRetireRows;
    if (!rest) {
      const u64 gone = retire(*next, retention, rest);
      out.count += gone;
      cost += gone + kRowsAStream;
      turn.tended = *next;
    }
    if (rest) touched_[queue][*next] = Touch::unfinished;
    out.more = out.more || rest;
  }
}

/// Mailboxes to which something was done by a process that ended before it tended them are left to the turns.
std::set<Id> Ledger::streams_to_tend(Id queue, const driver::Retention& retention, Turn& turn,
                                     std::map<Id, Touch>& taken, bool& more) {
  std::set<Id> streams;
  {
    auto rows = database_.query("SELECT id FROM vtx_stream WHERE queue = ? AND kind IN ('main', 'up', 'down')", queue);
    while (rows.next()) streams.insert(rows.number(0));
  }
  Touch least = Touch::appended;
  if (retention.kind == Kind::consumed) least = Touch::settled;
  if (retention.kind == Kind::age) least = Touch::unfinished;
  auto& touched = touched_[queue];
  for (std::size_t looks = 0; looks < kTouchedAtOnce && !touched.empty();) {
    const auto entry = touched.extract(touched.begin());
    const Id stream = entry.key();
    taken.emplace(stream, entry.mapped());
    if (entry.mapped() < least) continue;
    ++looks;
    const auto* info = stream_info(stream);
    if (info != nullptr && info->queue == queue) streams.insert(stream);
  }
  more = more || !touched.empty();
  if (retention.kind == Kind::age)
    add_aged(queue, now_ - retention.age.count(), turn, streams, more);
  else
    add_in_turn(queue, turn, streams, more);
  return streams;
}

/// Once at a stretch, since nobody may have tended for long; then some with each call.
void Ledger::add_in_turn(Id queue, Turn& turn, std::set<Id>& streams, bool& more) {
  auto rows = database_.query(
      "SELECT id, peer, priority FROM vtx_stream WHERE queue = ? AND kind = 'mailbox' AND (peer, priority) > (?, ?) "
      "ORDER BY peer, priority LIMIT ?",
      queue, turn.peer, turn.priority, kOthersInTurn);
  std::size_t others = 0;
  std::string peer;
  std::int64_t priority = 0;
  for (; rows.next(); ++others) {
    streams.insert(rows.number(0));
    peer = rows.text(1);
    priority = rows.integer(2);
  }
  const bool last = others < kOthersInTurn;
  turn.peer = last ? "" : std::move(peer);
  turn.priority = last ? 0 : priority;
  turn.all_seen = turn.all_seen || last;
  more = more || !turn.all_seen;
}

/// Those whose oldest message is older than `oldest`. What is empty is skipped by the messages' own key.
void Ledger::add_aged(Id queue, std::int64_t oldest, Turn& turn, std::set<Id>& streams, bool& more) {
  if (turn.stream == 0) {
    if (now_ - turn.began < kRoundMs && now_ >= turn.began) return;
    turn.began = now_;
  }
  auto row = database_.query(
      "SELECT s.id, s.queue, m.stored FROM vtx_message m JOIN vtx_stream s ON s.id = m.id >> 43 WHERE m.id >= ? "
      "ORDER BY m.id LIMIT 1",
      nullptr);
  std::size_t aged = 0;
  for (int i = 0; i < kLooks && aged < kOthersInTurn; ++i) {
    row.reset();
    row.bind(row_of(turn.stream + 1, 0));
    if (!row.next()) {
      turn.stream = 0;
      return;
    }
    turn.stream = row.number(0);
    if (row.number(1) != queue || row.integer(2) >= oldest) continue;
    streams.insert(turn.stream);
    ++aged;
  }
  more = true;
}

/// An operator's hand: goes as far as told, whatever is declared.
void Ledger::trim(const driver::Steer& steer, Completion& out) {
  const auto start = driver::parse_start(steer.from);
  if (!steer.keep && !start) {
    out.status = {Code::invalid, start.error().text()};
    return;
  }
  const auto queue = database_.value("SELECT id FROM vtx_queue WHERE name = ?", steer.queue);
  if (!queue) {
    out.status = {Code::not_found, "no queue " + steer.queue};
    return;
  }
  std::vector<Id> streams;
  {
    auto rows =
        database_.query("SELECT id FROM vtx_stream WHERE queue = ? AND kind = 'main' ORDER BY priority", *queue);
    while (rows.next()) streams.push_back(rows.number(0));
  }
  const auto beside = steer.keep || streams.empty() ? driver::Start() : start_beside(streams.front(), *start);
  for (const Id stream : streams) {
    const Seq end = head_of(stream).last + 1;
    const auto& from = stream == streams.front() ? *start : beside;
    const Seq floor = steer.keep ? end - std::min(end, *steer.keep) : position(stream, from);
    const Range step = step_of(stream);
    const Range gone{step.first, std::clamp(floor, step.first, step.last)};
    out.more = out.more || floor > step.last;
    leave_behind(stream, gone);
    out.count += remove(stream, gone);
  }
}

/// A link that commits again after so long merely gets a new row.
void Ledger::forget_producers() {
  if (now_ >= forgot_at_ && now_ < forgot_at_ + kForgetEachMs) return;
  forgot_at_ = now_;
  const auto oldest = now_ - std::chrono::milliseconds(kProducerMemory).count();
  database_.run("DELETE FROM vtx_fenced WHERE producer IN (SELECT id FROM vtx_producer WHERE seen < ?)", oldest);
  database_.run("DELETE FROM vtx_producer WHERE seen < ?", oldest);
}

/// Answers how many messages it removed; `more`: some are left that may go.
u64 Ledger::retire(Id stream, const driver::Retention& retention, bool& more) {
  const Seq end = head_of(stream).last + 1;
  const Range step = step_of(stream);
  if (step.first == end && retention.kind == Kind::consumed) return 0;
  Seq floor = step.first;
  switch (retention.kind) {
    case Kind::forever: return 0;
    // A group that begins at a later sequence must not take the stream's numbering along.
    case Kind::consumed: floor = std::min(consumed_floor(stream), end); break;
    case Kind::count: floor = end > retention.amount ? end - retention.amount : 0; break;
    case Kind::age: floor = age_floor(stream, step, retention.age, more); break;
    case Kind::size: floor = size_floor(stream, step, retention.amount, more); break;
  }
  more = more || floor > step.last;
  const Range gone{step.first, std::clamp(floor, step.first, step.last)};
  if (retention.kind != Kind::consumed) leave_behind(stream, gone);
  return remove(stream, gone);
}

/// What no group needs any more lies below; 0 when the stream has no group yet, which may want all of it.
Seq Ledger::consumed_floor(Id stream) {
  auto floor = static_cast<Seq>(
      database_
          .value("SELECT min(ifnull(c.next, 1)) FROM vtx_stream s JOIN vtx_group g ON g.queue = s.queue AND g.kind = "
                 "s.kind "
                 "AND g.peer = s.peer LEFT JOIN vtx_cursor c ON c.grp = g.id AND c.stream = s.id WHERE s.id = ?",
                 stream)
          .value_or(0));
  const auto retry = database_.value("SELECT min(first) FROM vtx_retry WHERE stream = ?", stream);
  if (retry) floor = std::min(floor, static_cast<Seq>(*retry));
  auto rows = database_.query(
      "SELECT id, grp, stream, first, last, delivery, done, counted, priority FROM vtx_claim WHERE stream = ?", stream);
  while (rows.next()) {
    const auto claim = read_claim(rows);
    u32 offset = 0;
    while (offset < claim.size() && claim.has(offset)) ++offset;
    floor = std::min(floor, claim.first + offset);
  }
  return floor;
}

/// What was stored before lies below, as far as the step reaches.
Seq Ledger::age_floor(Id stream, Range step, Ms age, bool& more) {
  const auto oldest = now_ - age.count();
  const Seq floor = first_stored(stream, step, oldest);
  more = more || (floor == step.last && first_stored(stream, {floor, floor + 1}, oldest) > floor);
  return floor;
}

/// The newest messages that fit into the amount begin here, as far as the step reaches. The stream's row counts the bytes of all from
/// bytes_from on: appending adds to it, removing takes away. A queue that has only now been declared with a size is counted backwards from
/// its head, in steps, until there is enough to know that all before must go.
Seq Ledger::size_floor(Id stream, Range step, u64 amount, bool& more) {
  Size size{head_of(stream).last + 1, 0};
  bool counted = false;
  {
    auto rows = database_.query("SELECT bytes_from, bytes FROM vtx_stream WHERE id = ? AND bytes IS NOT NULL", stream);
    counted = rows.next();
    if (counted) size = {rows.number(0), rows.number(1)};
  }
  const Size before = size;
  if (size.from > step.first && size.bytes <= amount) count_back(stream, step.first, amount, size);
  Seq floor = step.first;
  if (size.bytes > amount) {
    floor = std::clamp(size.from, step.first, step.last);
    auto rows = database_.query("SELECT id, bytes FROM vtx_message WHERE id >= ? AND id < ? ORDER BY id",
                                row_of(stream, floor), row_of(stream, step.last));
    while (floor >= size.from && size.bytes > amount && rows.next()) {
      size.bytes -= rows.number(1);
      floor = seq_of(rows.number(0)) + 1;
    }
  }
  size.from = std::max(size.from, floor);
  more = more || size.bytes > amount || size.from > floor;
  if (!counted || before.from != size.from || before.bytes != size.bytes)
    database_.run("UPDATE vtx_stream SET bytes = ?, bytes_from = ? WHERE id = ?", size.bytes, size.from, stream);
  head_of(stream).counted = true;
  return floor;
}

void Ledger::count_back(Id stream, Seq tail, u64 amount, Size& size) {
  auto rows = database_.query("SELECT id, bytes FROM vtx_message WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?",
                              row_of(stream, tail), row_of(stream, size.from), kRetireRows);
  while (size.bytes <= amount && rows.next()) size = {seq_of(rows.number(0)), size.bytes + rows.number(1)};
}

/// Removes the messages first..last-1, the oldest ones. Their numbers are not given out again, time does not go back behind theirs, and
/// their bytes count no longer.
u64 Ledger::remove(Id stream, Range range) {
  if (range.first >= range.last) return 0;
  const auto stored = database_.value("SELECT stored FROM vtx_message WHERE id < ? ORDER BY id DESC LIMIT 1",
                                      row_of(stream, range.last));
  database_.run(
      "UPDATE vtx_stream SET next = max(next, ?2), stored = max(stored, ?3), bytes_from = max(bytes_from, ?2), "
      "bytes = bytes - (SELECT ifnull(sum(m.bytes), 0) FROM vtx_message m WHERE m.id >= (?1 << 43) + bytes_from AND "
      "m.id < (?1 << 43) + ?2) WHERE id = ?1",
      stream, range.last, stored.value_or(0));
  database_.run("DELETE FROM vtx_message WHERE id >= ? AND id < ?", row_of(stream, range.first),
                row_of(stream, range.last));
  freed_.insert(stream);
  return static_cast<u64>(database_.changes());
}

/// The messages first..last-1 go though groups may not have settled them. What a consumer has in hands stays with it; what waited in a
/// group, fresh or to come again, is lost for it and counted. What was nacked after its message had gone is found here too.
void Ledger::leave_behind(Id stream, Range removed) {
  std::vector<std::pair<Id, u64>> groups;
  {
    auto rows = database_.query(
        "SELECT g.id, ifnull(c.next, 1) FROM vtx_stream s JOIN vtx_group g ON g.queue = s.queue AND g.kind = s.kind "
        "AND g.peer = s.peer LEFT JOIN vtx_cursor c ON c.grp = g.id AND c.stream = s.id WHERE s.id = ?",
        stream);
    while (rows.next()) groups.emplace_back(rows.number(0), rows.number(1));
  }
  // Nobody has lost it who could be named; but it was taken from a history that somebody may have wanted.
  if (groups.empty() && removed.first < removed.last)
    count(stream_info(stream)->queue, 0, "trimmed", removed.last - removed.first);
  const auto rest = static_cast<std::int64_t>(removed.last);
  for (const auto& [group, next] : groups) {
    u64 lost = 0;
    if (removed.first < removed.last && next < removed.last) {
      lost = removed.last - std::max(next, removed.first);
      move_cursor(group, stream, removed.last);
    }
    lost += static_cast<u64>(
        database_
            .value("SELECT sum(min(last + 1, ?3) - first) FROM vtx_retry WHERE grp = ?1 AND stream = ?2 AND first < ?3",
                   group, stream, rest)
            .value_or(0));
    if (lost == 0) continue;
    database_.run("DELETE FROM vtx_retry WHERE grp = ?1 AND stream = ?2 AND first < ?3 AND last < ?3", group, stream,
                  rest);
    database_.run("UPDATE vtx_retry SET first = ?3 WHERE grp = ?1 AND stream = ?2 AND first < ?3", group, stream, rest);
    count(queue_of_group(group), group, "trimmed", lost);
  }
}

}  // namespace vtx::sqlite
