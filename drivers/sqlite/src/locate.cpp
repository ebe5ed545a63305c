/* SPDX-License-Identifier: MPL-2.0 */
//
// Positions in a stream: its ends, and where somebody begins who names a sequence or a time.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::sqlite {

/// The first message at `from` or behind it.
std::optional<Seq> Ledger::next_at(Id stream, Seq from) {
  const auto row = database_.value("SELECT min(id) FROM vtx_message WHERE id >= ? AND id < ?", row_of(stream, from),
                                   row_of(stream + 1, 0));
  if (!row) return std::nullopt;
  return seq_of(static_cast<u64>(*row));
}

/// The oldest message; head + 1 when there is none.
Seq Ledger::tail_of(Id stream) {
  const auto tail = next_at(stream, 0);
  return tail ? *tail : head_of(stream).last + 1;
}

/// Where among first..last-1 the messages begin that were stored at `time` or later; `last` when none was. Times do not decrease
/// within a stream, so a bisection finds it however long the stream is.
Seq Ledger::first_stored(Id stream, Range among, std::int64_t time) {
  auto [low, high] = among;
  while (low < high) {
    const Seq middle = low + (high - low) / 2;
    auto rows = database_.query("SELECT id, stored FROM vtx_message WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
                                row_of(stream, middle), row_of(stream, high));
    if (rows.next() && rows.integer(1) < time)
      low = seq_of(rows.number(0)) + 1;
    else
      high = middle;
  }
  return low;
}

Seq Ledger::position(Id stream, const driver::Start& start) {
  const Seq end = head_of(stream).last + 1;
  switch (start.kind) {
    case driver::Start::Kind::oldest: break;
    case driver::Start::Kind::now: return end;
    case driver::Start::Kind::seq: return next_at(stream, std::min(start.seq, kMaxSeq)).value_or(end);
    case driver::Start::Kind::time:
      return first_stored(stream, {tail_of(stream), end}, start.time.time_since_epoch().count());
    case driver::Start::Kind::age: return first_stored(stream, {tail_of(stream), end}, now_ - start.age.count());
  }
  return tail_of(stream);
}

/// A sequence is of one stream. Where several priorities are meant it is that of priority 0; the others begin at the time of that message.
/// Beyond the newest is now. Where there is no such message any more, nothing tells what came before it.
driver::Start Ledger::start_beside(Id first, const driver::Start& start) {
  using Kind = driver::Start::Kind;
  if (start.kind != Kind::seq) return start;
  driver::Start beside;
  const Seq head = head_of(first).last;
  beside.kind = head > 0 && start.seq > head ? Kind::now : Kind::oldest;
  if (const auto stored =
          database_.value("SELECT stored FROM vtx_message WHERE id = ?", row_of(first, position(first, start)))) {
    beside.kind = Kind::time;
    beside.time = StoreTime(Ms(*stored));
  }
  return beside;
}

void Ledger::apply(const driver::Locate& locate, Completion& out) {
  const auto start = driver::parse_start(locate.from);
  if (!start) {
    out.status = {Code::invalid, "option 'from': " + start.error().text()};
    return;
  }
  if (!stream_info(locate.stream)) {
    out.status = {Code::not_found, "no such stream " + std::to_string(locate.stream)};
    return;
  }
  heads_.erase(locate.stream);  // outside a write transaction it may be an old one
  out.first = position(locate.stream, *start);
  out.head = head_of(locate.stream).last;
  out.tail = tail_of(locate.stream);
}

}  // namespace vtx::sqlite
