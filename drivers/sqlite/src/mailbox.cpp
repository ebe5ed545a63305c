/* SPDX-License-Identifier: MPL-2.0 */
//
// Names that one holder has, and what ends with them: the mailbox of a peer that nobody can come back as.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::sqlite {
namespace {

// A link whose session was lost comes back as another holder, soon, and takes its name and its mailbox with it.
constexpr auto kMayComeBack = std::chrono::seconds(60);

}  // namespace

void Ledger::apply(const driver::ListPeers& list, Completion& out) {
  constexpr std::size_t kAtOnce = 1000;
  auto rows = database_.query(list.anonymous
                                  ? "SELECT id, peer FROM vtx_group WHERE id > ? AND +queue = ? AND +kind = 'mailbox' "
                                    "AND peer GLOB '~*' ORDER BY id"
                                  : "SELECT id, peer FROM vtx_group WHERE id > ? AND +queue = ? AND +kind = 'mailbox' "
                                    "ORDER BY id",
                              list.after, list.queue);
  while (rows.next()) {
    if (out.peers.size() == kAtOnce) {
      out.more = true;
      return;
    }
    out.peers.push_back({static_cast<Id>(rows.number(0)), std::string(rows.text(1))});
  }
  // None of those that are there now is one of the queue's, but those listed: who waits need look at later ones only.
  if (out.peers.empty())
    out.head = std::max(list.after, static_cast<Id>(database_.value("SELECT max(id) FROM vtx_group").value_or(0)));
}

bool Ledger::has_joined(Id queue, Id peer) {
  return database_
      .value("SELECT 1 FROM vtx_group WHERE id > ? AND +queue = ? AND +kind = 'mailbox' LIMIT 1", peer, queue)
      .has_value();
}

void Ledger::apply(const driver::Hold& hold, Completion&) {
  if (hold.release) return release(hold.queue, hold.what);
  database_.run(
      "INSERT INTO vtx_hold (queue, what, holder) VALUES (?1, ?2, ?3) ON CONFLICT (queue, what) DO UPDATE SET holder = "
      "?3",
      hold.queue, hold.what, hold.holder);
}

void Ledger::apply(const driver::Forget& forget, Completion&) {
  database_.run("DELETE FROM vtx_fenced WHERE producer = ?", forget.producer);
  database_.run("DELETE FROM vtx_producer WHERE id = ?", forget.producer);
}

void Ledger::release(Id queue, const std::string& what) {
  database_.run("DELETE FROM vtx_hold WHERE queue = ? AND what = ?", queue, what);
  const std::string peer(driver::peer_of_hold(what));
  if (driver::is_anonymous(peer)) (void)remove_mailbox(queue, peer);
}

void Ledger::end_holder(Id holder) {
  if (database_.value("SELECT 1 FROM vtx_hold WHERE holder = ? AND what GLOB 'peer:~*' LIMIT 1", holder)) {
    database_.run("UPDATE vtx_holder SET ended = ? WHERE id = ? AND ended IS NULL", now_, holder);
    const auto ended = database_.value("SELECT ended FROM vtx_holder WHERE id = ?", holder);
    if (ended && now_ - *ended < std::chrono::milliseconds(kMayComeBack).count()) return;
  }
  std::vector<std::pair<Id, std::string>> held;
  {
    auto rows = database_.query("SELECT queue, what FROM vtx_hold WHERE holder = ?", holder);
    while (rows.next()) held.emplace_back(rows.number(0), rows.text(1));
  }
  for (const auto& [queue, what] : held) release(queue, what);
  database_.run("DELETE FROM vtx_holder WHERE id = ?", holder);
}

/// Answers how many messages nobody had read, which are counted.
u64 Ledger::remove_mailbox(Id queue, const std::string& peer) {
  std::vector<Id> streams;
  {
    auto rows =
        database_.query("SELECT id FROM vtx_stream WHERE queue = ? AND kind = 'mailbox' AND peer = ?", queue, peer);
    while (rows.next()) streams.push_back(rows.number(0));
  }
  std::vector<Id> groups;
  {
    auto rows =
        database_.query("SELECT id FROM vtx_group WHERE queue = ? AND kind = 'mailbox' AND peer = ?", queue, peer);
    while (rows.next()) groups.push_back(rows.number(0));
  }
  u64 unread = 0;
  for (const Id stream : streams) {
    const auto newest = static_cast<std::int64_t>(head_of(stream).last);
    for (const Id group : groups) {
      const auto next = database_.value("SELECT next FROM vtx_cursor WHERE grp = ? AND stream = ?", group, stream);
      unread += static_cast<u64>(std::max<std::int64_t>(newest + 1 - next.value_or(1), 0));
    }
    if (groups.empty()) unread += static_cast<u64>(newest);
    unread += drop_delayed(stream);
    database_.run("DELETE FROM vtx_message WHERE id >= ? AND id < ?", row_of(stream, 0), row_of(stream + 1, 0));
    database_.run("DELETE FROM vtx_stream WHERE id = ?", stream);
    heads_.erase(stream);
    mailboxes_.erase(stream);
    appended_.erase(stream);
    sooner_.erase(stream);
  }
  for (const Id group : groups) {
    unread += waiting_in(group) + claimed_in(group);
    remove_group(group);
  }
  if (unread > 0) count(queue, 0, "undeliverable", unread);
  return unread;
}

}  // namespace vtx::sqlite
