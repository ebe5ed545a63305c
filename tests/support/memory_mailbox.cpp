/* SPDX-License-Identifier: MPL-2.0 */
//
// Names that one holder has in the in-memory store, and what ends with them: the mailbox of an anonymous peer.
#include "support/memory_database.hpp"

namespace vtx::test {

using driver::Completion;
using driver::Hold;

Completion MemoryDatabase::run(const driver::ListPeers& list) {
  Completion answer;
  for (const auto& [id, group] : tables_.groups)
    if (id > list.after && group.queue == list.queue && group.kind == "mailbox" &&
        (!list.anonymous || driver::is_anonymous(group.peer)))
      answer.peers.push_back({id, group.peer});
  return answer;
}

Completion MemoryDatabase::run(const Hold& hold) {
  const auto held = tables_.holds.find({hold.queue, hold.what});
  if (hold.release) {
    if (held != tables_.holds.end() && held->second == hold.holder) release(hold.queue, hold.what);
    return {};
  }
  if (!lives(hold.holder)) return refuse(Code::fenced, "This holder has ended: become a new one.");
  if (held != tables_.holds.end() && held->second != hold.holder && lives(held->second))
    return refuse(Code::busy, hold.what + " is held by another.");
  tables_.holds[{hold.queue, hold.what}] = hold.holder;
  return {};
}

Completion MemoryDatabase::run(const driver::Forget& forget) {
  tables_.producers.erase(forget.producer);
  return {};
}

/// A link whose session was lost may come back for its mailbox.
void MemoryDatabase::end_holder(HolderRow& holder) {
  if (holder.ended_at == StoreTime{}) holder.ended_at = now();
  const bool may_come_back = now() - holder.ended_at < std::chrono::seconds(60);
  const auto holds = tables_.holds;
  for (const auto& [name, other] : holds)
    if (other == holder.id && !(may_come_back && driver::is_anonymous(driver::peer_of_hold(name.second))))
      release(name.first, name.second);
}

void MemoryDatabase::release(Id queue, const std::string& what) {
  tables_.holds.erase({queue, what});
  const std::string peer(driver::peer_of_hold(what));
  if (driver::is_anonymous(peer)) (void)remove_mailbox(queue, peer);
}

/// Answers how many messages nobody had read.
u64 MemoryDatabase::remove_mailbox(Id queue, const std::string& peer) {
  u64 unread = 0;
  std::erase_if(tables_.groups, [&](const auto& entry) {
    const GroupRow& group = entry.second;
    if (group.queue != queue || group.kind != "mailbox" || group.peer != peer) return false;
    unread += stats(group).depth;
    std::erase_if(tables_.claims, [&](const auto& claim) { return claim.second.lease.group == group.id; });
    return true;
  });
  std::erase_if(tables_.streams, [&](const auto& entry) {
    const StreamRow& stream = entry.second;
    if (stream.queue != queue || stream.kind != "mailbox" || stream.peer != peer) return false;
    unread += drop_delayed(stream.id);
    return true;
  });
  if (unread > 0) tables_.queues.at(queue).counters["undeliverable"] += unread;
  return unread;
}

}  // namespace vtx::test
