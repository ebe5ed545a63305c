/* SPDX-License-Identifier: MPL-2.0 */
//
// Letting go of what every group has settled: whole ranges from the front of a stream, some thousand rows a call.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::sqlite {
namespace {
constexpr u64 kRetireRows = 4000;  // a few milliseconds under the write lock
constexpr auto kProducerMemory = std::chrono::hours(24);
}  // namespace

void Ledger::apply(const driver::Tend& tend, Completion& out) {
  if (!database_.value("SELECT 1 FROM vtx_queue WHERE name = ?", tend.queue)) {
    out.status = {Code::not_found, "no queue " + tend.queue};
    return;
  }
  forget_producers();
  std::vector<Id> streams;
  {
    auto rows = database_.query(
        "SELECT s.id FROM vtx_queue q JOIN vtx_stream s ON s.queue = q.id WHERE q.name = ? AND q.retain = 'consumed'",
        tend.queue);
    while (rows.next()) streams.push_back(rows.number(0));
  }
  for (const Id stream : streams) out.count += retire(stream, out.more);
}

/// A link that commits again after so long merely gets a new row.
void Ledger::forget_producers() {
  const auto oldest = now_ - std::chrono::milliseconds(kProducerMemory).count();
  database_.run("DELETE FROM vtx_fenced WHERE producer IN (SELECT id FROM vtx_producer WHERE seen < ?)", oldest);
  database_.run("DELETE FROM vtx_producer WHERE seen < ?", oldest);
}

/// What no group needs any more lies below; 0 when the stream has no group yet, which may want all of it.
Seq Ledger::floor_of(Id stream) {
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
      "SELECT id, grp, stream, first, last, delivery, done, counted FROM vtx_claim WHERE stream = ?", stream);
  while (rows.next()) {
    const auto claim = read_claim(rows);
    u32 offset = 0;
    while (offset < claim.size() && claim.has(offset)) ++offset;
    floor = std::min(floor, claim.first + offset);
  }
  return floor;
}

u64 Ledger::retire(Id stream, bool& more) {
  const Seq first = tail_of(stream);
  // A group that begins at a later sequence must not take the stream along.
  const Seq floor = std::min(floor_of(stream), head_of(stream).last + 1);
  if (floor <= first) return 0;
  const Seq end = std::min(floor, first + kRetireRows);
  if (end < floor) more = true;
  const auto stored =
      database_.value("SELECT stored FROM vtx_message WHERE id < ? ORDER BY id DESC LIMIT 1", row_of(stream, end));
  database_.run("UPDATE vtx_stream SET next = max(next, ?2), stored = max(stored, ?3) WHERE id = ?1", stream, end,
                stored.value_or(0));
  database_.run("DELETE FROM vtx_message WHERE id >= ? AND id < ?", row_of(stream, first), row_of(stream, end));
  return static_cast<u64>(database_.changes());
}

}  // namespace vtx::sqlite
