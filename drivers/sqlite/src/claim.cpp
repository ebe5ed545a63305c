/* SPDX-License-Identifier: MPL-2.0 */
//
// Leasing ranges, and reading without leasing: messages are copied into one buffer of exactly their size.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::sqlite {
namespace {

constexpr std::size_t kKeepScratch = 4 * driver::kMaxBatchBytes;

}  // namespace

/// Reads the messages of a range that are there, as many as the limit lets and at least one. Answers what it read; last 0: nothing is there.
Ledger::Range Ledger::read_range(Id stream, Range range, const driver::Limit& limit, Completion& out, bool& whole) {
  scratch_.clear();
  Range got{0, 0};
  whole = true;
  {
    auto rows = database_.query(
        "SELECT id, frames, body, properties, stored, expires FROM vtx_message WHERE id >= ? AND id <= ? ORDER BY id",
        row_of(stream, range.first), row_of(stream, range.last));
    while (rows.next()) {
      driver::Message message;
      message.body = rows.blob(2);
      message.properties = rows.text(3);
      if (!out.messages.empty() && (out.messages.size() >= limit.messages ||
                                    scratch_.size() + message.body.size() + message.properties.size() > limit.bytes)) {
        whole = false;
        break;
      }
      message.frames = static_cast<u32>(rows.integer(1));
      message.seq = seq_of(rows.number(0));
      message.stored = StoreTime(Ms(rows.integer(4)));
      message.expires = StoreTime(Ms(rows.integer(5)));
      scratch_.insert(scratch_.end(), message.body.begin(), message.body.end());
      const auto properties = std::as_bytes(std::span(message.properties));
      scratch_.insert(scratch_.end(), properties.begin(), properties.end());
      if (out.messages.empty()) got.first = message.seq;
      got.last = message.seq;
      out.messages.push_back(message);
    }
  }
  hand_over(out);
  return got;
}

/// Copies the scratch into a buffer of its size, and lets the messages, whose lengths are right, point into that.
void Ledger::hand_over(Completion& out) {
  out.buffer.size = scratch_.size();
  out.buffer.bytes.reset(new std::byte[scratch_.size()]);
  std::copy(scratch_.begin(), scratch_.end(), out.buffer.bytes.get());
  const std::byte* at = out.buffer.bytes.get();
  for (auto& message : out.messages) {
    message.body = {at, message.body.size()};
    at += message.body.size();
    message.properties = {reinterpret_cast<const char*>(at), message.properties.size()};
    at += message.properties.size();
  }
  if (scratch_.capacity() > kKeepScratch) scratch_ = {};
}

void Ledger::apply(const driver::ClaimNext& next, Completion& out) {
  if (queue_of_group(next.group) == 0) {
    out.status = {Code::not_found, "no such group"};
    return;
  }
  auto sources = sources_of(next.group);
  Budget budget;
  for (auto& source : sources) {
    if (source.due > now_) continue;
    fire(source.stream, budget);
    source.due = first_due(source.stream).value_or(kNever);
  }
  for (const auto& source : sources)
    if (claim_retry(next, source.priority, out) || out.retry_waiting || claim_fresh(next, source, out)) return;
  auto due = next_retry(next.group, sources);
  out.retry_later = due != kNever;
  for (const auto& source : sources) due = std::min(due, source.due);
  if (due != kNever) out.due_in = time_until(due);
}

/// From the highest priority down.
std::vector<Ledger::Source> Ledger::sources_of(Id group) {
  std::vector<Source> sources;
  auto rows = database_.query(
      "SELECT s.id, ifnull(c.next, 1), s.priority, (SELECT min(due) FROM vtx_delayed WHERE stream = s.id) FROM "
      "vtx_group g JOIN vtx_stream s ON s.queue = g.queue AND s.kind = g.kind AND s.peer = g.peer LEFT JOIN vtx_cursor "
      "c ON c.grp = g.id AND c.stream = s.id WHERE g.id = ? ORDER BY s.priority DESC",
      group);
  while (rows.next())
    sources.push_back({rows.number(0), rows.number(1), static_cast<int>(rows.integer(2)),
                       rows.is_null(3) ? kNever : rows.integer(3)});
  return sources;
}

std::int64_t Ledger::next_retry(Id group, const std::vector<Source>& sources) {
  std::int64_t due = kNever;
  for (const auto& source : sources) {
    const auto first =
        database_.value("SELECT min(due) FROM vtx_retry WHERE grp = ? AND priority = ?", group, source.priority);
    due = std::min(due, first.value_or(kNever));
  }
  return due;
}

bool Ledger::claim_retry(const driver::ClaimNext& next, int priority, Completion& out) {
  while (true) {
    Id entry = 0;
    u32 delivered = 0;
    driver::Claim claim;
    Range range{0, 0};
    {
      auto rows = database_.query(
          "SELECT id, stream, first, last, delivered, reason FROM vtx_retry WHERE grp = ? AND priority = ? AND due <= "
          "? "
          "ORDER BY due, first, id LIMIT 1",
          next.group, priority, now_);
      if (!rows.next()) return false;
      entry = rows.number(0);
      claim.stream = rows.number(1);
      range = {rows.number(2), rows.number(3)};
      delivered = static_cast<u32>(rows.integer(4));
      claim.reason = rows.text(5);
    }
    claim.delivery = delivered + 1;
    claim.priority = priority;
    const bool again = delivered > 0;
    if (again && !next.alone) {
      out.retry_waiting = true;
      return false;
    }
    bool whole = true;
    const auto limit = again ? driver::Limit{1, next.limit.bytes} : next.limit;
    const Range got = read_range(claim.stream, range, limit, out, whole);
    if (whole)
      database_.run("DELETE FROM vtx_retry WHERE id = ?", entry);
    else
      database_.run("UPDATE vtx_retry SET first = ? WHERE id = ?", got.last + 1, entry);
    // Retention may have removed some meanwhile, in a dead-letter queue a person, which was counted then.
    const Seq gone = got.last == 0 ? range.last + 1 - range.first : got.first - range.first;
    if (gone > 0 && !stream_info(claim.stream)->dead) count(queue_of_group(next.group), next.group, "trimmed", gone);
    if (got.last == 0) continue;
    claim.first = got.first;
    claim.last = got.last;
    record_claim(next, std::move(claim), out);
    return true;
  }
}

void Ledger::move_cursor(Id group, Id stream, Seq next) {
  database_.run(
      "INSERT INTO vtx_cursor (grp, stream, next) VALUES (?1, ?2, ?3) ON CONFLICT (grp, stream) DO UPDATE SET next = "
      "?3",
      group, stream, next);
}

bool Ledger::claim_fresh(const driver::ClaimNext& next, const Source& source, Completion& out) {
  bool whole = true;
  const Range got = read_range(source.stream, {source.from, kMaxSeq}, next.limit, out, whole);
  if (got.last == 0) return false;
  move_cursor(next.group, source.stream, got.last + 1);
  driver::Claim claim;
  claim.stream = source.stream;
  claim.priority = source.priority;
  claim.first = got.first;
  claim.last = got.last;
  record_claim(next, std::move(claim), out);
  return true;
}

void Ledger::record_claim(const driver::ClaimNext& next, driver::Claim claim, Completion& out) {
  database_.run(
      "INSERT INTO vtx_claim (grp, stream, holder, first, last, delivery, counted, priority) VALUES (?, ?, ?, ?, ?, ?, "
      "?, ?)",
      next.group, claim.stream, next.holder, claim.first, claim.last, claim.delivery, !next.uncounted, claim.priority);
  claim.id = static_cast<Id>(database_.last_id());
  claim.group = next.group;
  out.head = head_of(claim.stream).last;
  out.claim = std::move(claim);
  out.more = is_claimable(next.group);
}

void Ledger::apply(const driver::Read& read, Completion& out) {
  if (!stream_info(read.stream)) {
    out.status = {Code::not_found, "no such stream " + std::to_string(read.stream)};
    return;
  }
  bool whole = true;
  read_range(read.stream, {std::min(read.from, kMaxSeq), kMaxSeq}, read.limit, out, whole);
  out.more = !whole;
  heads_.erase(read.stream);  // outside a write transaction it may be an old one
  out.head = head_of(read.stream).last;
  out.tail = tail_of(read.stream);
  if (!out.messages.empty()) return;
  if (const auto due = first_due(read.stream)) out.due_in = time_until(*due);
}

}  // namespace vtx::sqlite
