/* SPDX-License-Identifier: MPL-2.0 */
//
// Finding or creating queues, streams, groups.
#include "ledger.hpp"

namespace vtx::sqlite {

Id Ledger::make_queue(const std::string& name, const driver::Declaration& declared) {
  const auto limit = driver::parse_limit(declared.limit).value_or(driver::QueueLimit{});
  database_.run(
      "INSERT INTO vtx_queue (name, retain, size_limit, max_messages, max_bytes) VALUES (?, ?, ?, nullif(?, -1), "
      "nullif(?, -1))",
      name, declared.retain, declared.limit, limit.messages, limit.bytes);
  return static_cast<Id>(database_.last_id());
}

void Ledger::apply(const driver::OpenQueue& open, Completion& out) {
  const bool known = database_.value("SELECT 1 FROM vtx_queue WHERE name = ?", open.queue).has_value();
  const std::string roles = declare(open, out);
  if (out.status.ok()) open_groups(open, known && !open.change, out);
  if (out.status.ok()) remember_role(open, roles, out);
}

/// Makes those that lack, unless all must be there.
void Ledger::open_groups(const driver::OpenQueue& open, bool known, Completion& out) {
  for (const std::string& name : open.groups) {
    const driver::GroupName group{"main", "", name};
    if (find_group(out.id, group) != 0) continue;
    if (known) {
      out.status = {Code::mismatch, "queue " + open.queue + " was declared without the group " + name +
                                        "; leave the option groups out, or bind to change it"};
      return;
    }
    driver::OpenGroup make{out.id, group.kind, group.peer, group.name, "oldest", {}, {}};
    Completion made;
    made.max_deliveries = make.default_max_deliveries;
    make_group(make, driver::Start{}, made);
  }
}

/// Answers the roles that the queue knew.
std::string Ledger::declare(const driver::OpenQueue& open, Completion& out) {
  const bool dead = open.queue.ends_with(".dead");  // keeps all until somebody has looked at it, whatever is declared
  std::string roles;
  {
    auto rows = database_.query("SELECT id, retain, size_limit, roles FROM vtx_queue WHERE name = ?", open.queue);
    if (rows.next()) {
      out.id = rows.number(0);
      out.declared = {std::string(rows.text(1)), std::string(rows.text(2))};
      roles = rows.text(3);
    }
  }
  if (out.id == 0) {
    if (!open.create) {
      out.status = {Code::not_found, "no queue " + open.queue};
      return roles;
    }
    out.declared = {dead ? "forever" : open.retain.value_or(open.defaults.retain),
                    dead ? "" : open.limit.value_or(open.defaults.limit)};
    out.id = make_queue(open.queue, out.declared);
    return roles;
  }
  if (out.status = driver::check_role(open, roles); !out.status.ok()) return roles;
  const driver::Declaration wanted{dead ? out.declared.retain : open.retain.value_or(out.declared.retain),
                                   dead ? out.declared.limit : open.limit.value_or(out.declared.limit)};
  if (wanted == out.declared) return roles;
  if (!open.change) {
    out.status = {Code::mismatch, "queue " + open.queue + " was declared with retain=" + out.declared.retain +
                                      (out.declared.limit.empty() ? "" : " and limit=" + out.declared.limit) +
                                      "; leave the option out, or bind to change it"};
    return roles;
  }
  const auto limit = driver::parse_limit(wanted.limit).value_or(driver::QueueLimit{});
  database_.run(
      "UPDATE vtx_queue SET retain = ?, size_limit = ?, max_messages = nullif(?, -1), max_bytes = nullif(?, -1) WHERE "
      "id = ?",
      wanted.retain, wanted.limit, limit.messages, limit.bytes, out.id);
  if (wanted.limit != out.declared.limit) begin_limit(out.id, limit);
  out.declared = wanted;
  return roles;
}

void Ledger::remember_role(const driver::OpenQueue& open, const std::string& roles, const Completion& out) {
  if (const auto all = driver::with_role(roles, open.role); all != roles)
    database_.run("UPDATE vtx_queue SET roles = ? WHERE id = ?", all, out.id);
}

Id Ledger::find_stream(const driver::OpenStream& open) {
  return static_cast<Id>(
      database_
          .value("SELECT id FROM vtx_stream WHERE queue = ? AND kind = ? AND peer = ? AND priority = ?", open.queue,
                 open.kind, open.peer, open.priority)
          .value_or(0));
}

Id Ledger::find_group(Id queue, const driver::GroupName& group) {
  return static_cast<Id>(database_
                             .value("SELECT id FROM vtx_group WHERE queue = ? AND kind = ? AND peer = ? AND name = ?",
                                    queue, group.kind, group.peer, group.name)
                             .value_or(0));
}

Id Ledger::make_stream(const driver::OpenStream& open) {
  // In a later epoch all that it will have is of that one.
  database_.run(
      "INSERT INTO vtx_stream (queue, kind, peer, priority, bytes, bytes_from, fork) SELECT id, ?2, ?3, ?4, "
      "iif(max_bytes IS NULL, NULL, 0), iif(max_bytes IS NULL, NULL, 0), (SELECT CASE WHEN epoch > 1 THEN 0 END FROM "
      "vtx_store) FROM vtx_queue WHERE id = ?1",
      open.queue, open.kind, open.peer, open.priority);
  return static_cast<Id>(database_.last_id());
}

void Ledger::apply(const driver::OpenStream& open, Completion& out) {
  if (!database_.value("SELECT 1 FROM vtx_queue WHERE id = ?", open.queue)) {
    out.status = {Code::not_found, "no such queue"};
    return;
  }
  out.id = find_stream(open);
  if (out.id == 0 && !open.create) {
    out.status = {Code::not_found, "no such stream"};
    return;
  }
  if (out.id == 0) out.id = make_stream(open);
  out.head = head_of(out.id).last;
  const auto fork = database_.value("SELECT fork FROM vtx_stream WHERE id = ?", out.id);
  if (fork) out.fork = static_cast<Seq>(*fork);
}

void Ledger::apply(const driver::OpenGroup& open, Completion& out) {
  const auto start = driver::parse_start(open.from.empty() ? "oldest" : open.from);
  if (!start) {
    out.status = {Code::invalid, "option 'from': " + start.error().text()};
    return;
  }
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
  const auto before = std::pair(out.max_deliveries, out.filter);
  out.max_deliveries = open.max_deliveries.value_or(out.id ? out.max_deliveries : open.default_max_deliveries);
  out.filter = open.filter.value_or(out.filter);
  if (out.id == 0)
    out.id = make_group(open, *start, out);
  else if (before != std::pair(out.max_deliveries, out.filter))
    database_.run("UPDATE vtx_group SET max_deliveries = ?, filter = ? WHERE id = ?", out.max_deliveries,
                  std::span(out.filter), out.id);
}

/// A group begins in each of its streams by itself; one that comes later it reads from its beginning.
/// The stream that plain SQL sends to is there as soon as somebody would receive from it.
Id Ledger::make_group(const driver::OpenGroup& open, const driver::Start& start, const Completion& out) {
  const driver::OpenStream main{open.queue, open.kind, open.peer, 0, true};
  Id first = find_stream(main);
  if (first == 0) first = make_stream(main);
  database_.run("INSERT INTO vtx_group (queue, kind, peer, name, filter, max_deliveries) VALUES (?, ?, ?, ?, ?, ?)",
                open.queue, open.kind, open.peer, open.name, std::span(out.filter), out.max_deliveries);
  const auto group = static_cast<Id>(database_.last_id());
  if (open.kind == "mailbox") joined_.insert(open.queue);
  if (start.kind == driver::Start::Kind::oldest) return group;
  std::vector<Id> streams;
  {
    auto rows = database_.query("SELECT id FROM vtx_stream WHERE queue = ? AND kind = ? AND peer = ?", open.queue,
                                open.kind, open.peer);
    while (rows.next()) streams.push_back(rows.number(0));
  }
  const driver::Start beside = start_beside(first, start);
  for (const Id stream : streams)
    database_.run("INSERT INTO vtx_cursor (grp, stream, next) VALUES (?, ?, ?)", group, stream,
                  position(stream, stream == first ? start : beside));
  return group;
}

}  // namespace vtx::sqlite
