/* SPDX-License-Identifier: MPL-2.0 */
//
// Finding or creating queues, streams, groups; and names held by one holder.
#include "ledger.hpp"

namespace vtx::sqlite {

Id Ledger::make_queue(const std::string& name, const driver::Declaration& declared) {
  // What nobody consumed must not be retired because nobody does.
  const bool dead = name.ends_with(".dead");
  database_.run("INSERT INTO vtx_queue (name, retain, size_limit) VALUES (?, ?, ?)", name,
                dead ? std::string("forever") : declared.retain, declared.limit);
  return static_cast<Id>(database_.last_id());
}

void Ledger::apply(const driver::OpenQueue& open, Completion& out) {
  {
    auto rows = database_.query("SELECT id, retain, size_limit FROM vtx_queue WHERE name = ?", open.queue);
    if (rows.next()) {
      out.id = rows.number(0);
      out.declared = {std::string(rows.text(1)), std::string(rows.text(2))};
    }
  }
  if (out.id == 0) {
    if (!open.create) {
      out.status = {Code::not_found, "no queue " + open.queue};
      return;
    }
    out.declared = {open.retain.value_or(open.defaults.retain), open.limit.value_or(open.defaults.limit)};
    out.id = make_queue(open.queue, out.declared);
    return;
  }
  const driver::Declaration wanted{open.retain.value_or(out.declared.retain), open.limit.value_or(out.declared.limit)};
  if (wanted == out.declared) return;
  if (!open.change) {
    out.status = {Code::mismatch, "queue " + open.queue + " was declared with retain=" + out.declared.retain +
                                      (out.declared.limit.empty() ? "" : " and limit=" + out.declared.limit) +
                                      "; leave the option out, or bind to change it"};
    return;
  }
  database_.run("UPDATE vtx_queue SET retain = ?, size_limit = ? WHERE id = ?", wanted.retain, wanted.limit, out.id);
  out.declared = wanted;
}

Id Ledger::find_stream(const driver::OpenStream& open) {
  return static_cast<Id>(
      database_
          .value("SELECT id FROM vtx_stream WHERE queue = ? AND kind = ? AND peer = ? AND priority = ?", open.queue,
                 open.kind, open.peer, open.priority)
          .value_or(0));
}

Id Ledger::make_stream(const driver::OpenStream& open) {
  database_.run("INSERT INTO vtx_stream (queue, kind, peer, priority) VALUES (?, ?, ?, ?)", open.queue, open.kind,
                open.peer, open.priority);
  return static_cast<Id>(database_.last_id());
}

void Ledger::apply(const driver::OpenStream& open, Completion& out) {
  if (!database_.value("SELECT 1 FROM vtx_queue WHERE id = ?", open.queue)) {
    out.status = {Code::not_found, "no such queue"};
    return;
  }
  out.id = find_stream(open);
  if (out.id == 0) out.id = make_stream(open);
  out.head = head_of(out.id).last;
}

void Ledger::apply(const driver::OpenGroup& open, Completion& out) {
  if (!database_.value("SELECT 1 FROM vtx_queue WHERE id = ?", open.queue)) {
    out.status = {Code::not_found, "no such queue"};
    return;
  }
  {
    auto rows = database_.query(
        "SELECT id, max_deliveries, filter FROM vtx_group WHERE queue = ? AND kind = ? AND peer = ? AND name = ?",
        open.queue, open.kind, open.peer, open.name);
    if (rows.next()) {
      out.id = rows.number(0);
      out.max_deliveries = static_cast<u32>(rows.integer(1));
      out.filter = rows.text(2);
    }
  }
  if (out.id == 0) {
    if (!open.from.empty() && open.from != "oldest") {
      out.status = {Code::unsupported,
                    "a group that begins at '" + open.from + "' is not yet supported; from=oldest is"};
      return;
    }
    out.max_deliveries = open.max_deliveries.value_or(open.default_max_deliveries);
    out.filter = open.filter;
    database_.run("INSERT INTO vtx_group (queue, kind, peer, name, filter, max_deliveries) VALUES (?, ?, ?, ?, ?, ?)",
                  open.queue, open.kind, open.peer, open.name, std::span(open.filter), out.max_deliveries);
    out.id = static_cast<Id>(database_.last_id());
    return;
  }
  if (!open.max_deliveries || *open.max_deliveries == out.max_deliveries) return;
  out.max_deliveries = *open.max_deliveries;
  database_.run("UPDATE vtx_group SET max_deliveries = ? WHERE id = ?", out.max_deliveries, out.id);
}

void Ledger::apply(const driver::Hold& hold, Completion& out) {
  if (hold.release) {
    database_.run("DELETE FROM vtx_hold WHERE what = ? AND holder = ?", hold.what, hold.holder);
    return;
  }
  const auto holder = database_.value("SELECT holder FROM vtx_hold WHERE what = ?", hold.what);
  if (holder && static_cast<Id>(*holder) != hold.holder) {
    out.status = {Code::busy, hold.what + " is held by another"};
    return;
  }
  database_.run("INSERT OR IGNORE INTO vtx_hold (what, holder) VALUES (?, ?)", hold.what, hold.holder);
}

}  // namespace vtx::sqlite
