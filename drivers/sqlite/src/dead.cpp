/* SPDX-License-Identifier: MPL-2.0 */
//
// Dead letters: copied to the queue QUEUE.dead with where they come from and why; from there given back to their group, or dropped.
// A message stays there until it is acknowledged, which deletes it at once, so these streams have holes.
#include "ledger.hpp"
#include "vtx/driver/dead_letter.hpp"

namespace vtx::sqlite {

Id Ledger::dead_stream(const std::string& queue, bool create) {
  const std::string name = queue + ".dead";
  auto id = static_cast<Id>(database_.value("SELECT id FROM vtx_queue WHERE name = ?", name).value_or(0));
  if (id == 0 && !create) return 0;
  if (id == 0) id = make_queue(name, {"forever", ""});
  const driver::OpenStream main{id, "main", "", 0};
  const Id stream = find_stream(main);
  return stream || !create ? stream : make_stream(main);
}

/// False: the message has been removed meanwhile.
bool Ledger::bury(const OpenClaim& claim, Seq seq, const std::string& reason) {
  driver::Death death{{}, {}, seq, claim.delivery, reason, claim.priority, false};
  {
    auto rows = database_.query(
        "SELECT q.name, g.kind, g.peer, g.name FROM vtx_group g JOIN vtx_queue q ON q.id = g.queue WHERE g.id = ?",
        claim.group);
    if (!rows.next()) return false;
    death.queue = rows.text(0);
    death.group = {std::string(rows.text(1)), std::string(rows.text(2)), std::string(rows.text(3))};
  }
  const Id stream = dead_stream(death.queue, true);
  death.again = claim.stream == stream;
  driver::Message message;
  std::vector<std::byte> body;
  std::string properties;
  {
    auto rows =
        database_.query("SELECT frames, body, properties FROM vtx_message WHERE id = ?", row_of(claim.stream, seq));
    if (!rows.next()) return false;
    message.frames = static_cast<u32>(rows.integer(0));
    body.assign(rows.blob(1).begin(), rows.blob(1).end());
    properties = driver::with_death(rows.text(2), death);
  }
  message.body = body;
  message.properties = properties;
  append_one(stream, message);
  return true;
}

void Ledger::remove_one(Id stream, Seq seq) {
  head_of(stream);  // before the newest goes: its number must not be given out again
  database_.run("UPDATE vtx_stream SET next = max(next, ?2 + 1), stored = max(stored, ?3) WHERE id = ?1", stream, seq,
                now_);
  database_.run("DELETE FROM vtx_message WHERE id = ?", row_of(stream, seq));
}

void Ledger::apply(const driver::Steer& steer, Completion& out) {
  if (steer.verb == driver::Verb::trim) return trim(steer, out);
  if (steer.verb == driver::Verb::seek) return seek(steer, out);
  if (steer.verb == driver::Verb::drop_group) return drop_group(steer, out);
  const bool drop = steer.verb == driver::Verb::dead_drop;
  const auto queue = database_.value("SELECT id FROM vtx_queue WHERE name = ?", steer.queue);
  const Id stream = queue ? dead_stream(steer.queue, false) : 0;
  std::vector<Seq> letters;
  if (stream) {
    auto rows =
        database_.query("SELECT seq FROM vtx_message WHERE id >= ? AND id <= ? ORDER BY id", row_of(stream, steer.seq),
                        steer.seq ? row_of(stream, steer.seq) : row_of(stream + 1, 0) - 1);
    while (rows.next()) letters.push_back(rows.number(0));
  }
  if (!queue || (letters.empty() && steer.seq)) {
    out.status = {Code::not_found, queue ? "queue " + steer.queue + " has no dead letter " + std::to_string(steer.seq)
                                         : "no queue " + steer.queue};
    return;
  }
  for (const Seq seq : letters) {
    if (!drop) {
      out.count += requeue(static_cast<Id>(*queue), stream, seq, out);
      continue;
    }
    remove_one(stream, seq);
    ++out.count;
  }
  if (drop && out.count) count(static_cast<Id>(*queue), 0, "skipped", out.count);
}

/// Gives a dead letter back to the group it died in, as if it had never been delivered. Once: not while it waits or is in hands there already.
u64 Ledger::requeue(Id queue, Id stream, Seq seq, Completion& out) {
  driver::DeadFrom from;
  {
    auto rows = database_.query("SELECT properties FROM vtx_message WHERE id = ?", row_of(stream, seq));
    if (rows.next()) from = driver::dead_from(rows.text(0));
  }
  const Id group = find_group(queue, driver::parse_group_name(from.group));
  if (group == 0) {
    out.status = {Code::not_found,
                  "group '" + from.group + "', where dead letter " + std::to_string(seq) + " comes from, is no more"};
    return 0;
  }
  // Ranges of one group do not overlap, so the nearest one that begins at or before it tells.
  const auto waits = database_.value(
      "SELECT last FROM vtx_retry WHERE grp = ? AND stream = ? AND first <= ? ORDER BY first DESC LIMIT 1", group,
      stream, seq);
  if (waits && static_cast<Seq>(*waits) >= seq) return 0;
  if (database_.value("SELECT 1 FROM vtx_claim WHERE grp = ?1 AND stream = ?2 AND ?3 BETWEEN first AND last", group,
                      stream, seq))
    return 0;
  database_.run(
      "INSERT INTO vtx_retry (grp, stream, first, last, delivered, due, reason, priority) VALUES (?, ?, ?, ?, 0, 0, "
      "'', "
      "?)",
      group, stream, seq, seq, from.priority);
  retried_.insert(group);
  return 1;
}

}  // namespace vtx::sqlite
