/* SPDX-License-Identifier: MPL-2.0 */
//
// Holders and what ends with them: claims that others take over, names, and the mailboxes of anonymous peers.
#include "ledger.hpp"
#include "vtx/driver/process_name.hpp"

namespace vtx::rocks {

using driver::Hold;

bool Ledger::lives(Id holder) const {
  const HolderRow* found = books_.holders.find(holder);
  return found && !found->ended;
}

/// It has not said that it ended, but nobody will hear of it again: its process is gone, or cannot be looked for and was silent for too long.
bool Ledger::has_vanished(Id id) const {
  const HolderRow& holder = books_.holders.at(id);
  if (holder.ended) return false;
  if (!holder.process.empty()) return driver::has_process_ended(holder.process);
  return clock_.now() - holder.heard > holder.lease;
}

Completion Ledger::run(const driver::Beat& beat) {
  Completion answer;
  answer.id = beat.holder;
  if (beat.holder == 0) {
    answer.id = books_.next_id();
    books_.holders.make(answer.id);
  }
  if (!lives(answer.id)) return refuse(Code::fenced, "This holder has ended: become a new one.");
  // It may have come back from another process, or from another session of its own. The next owner of the database has to know its lease.
  const HolderRow& known = books_.holders.at(answer.id);
  const std::string& process = waiting_.caller().process;
  if (known.process != process || known.lease != beat.lease) {
    HolderRow& row = books_.holders.edit(answer.id);
    row.process = process;
    row.lease = beat.lease;
  }
  HolderRow& mine = books_.holders.recall(answer.id);
  ++mine.count;
  mine.heard = clock_.now();
  for (const auto& [id, other] : books_.holders.all())
    if (id != answer.id && other.claims > 0) answer.holders.push_back({id, other.count, other.lease, other.ended});
  return answer;
}

Completion Ledger::run(const driver::TakeOver& take) {
  Completion answer;
  const HolderRow* holder = books_.holders.find(take.holder);
  if (!holder || holder->count != take.seen) return answer;
  if (holder->ended) end_holder(take.holder);
  for (auto it = books_.claims.all().begin(); it != books_.claims.all().end();) {
    const auto& [place, row] = *it++;
    if (row.holder != take.holder) continue;
    const ClaimKey key = place;
    const ClaimRow claim = row;
    books_.erase_claim(key);
    ++answer.count;
    const u32 delivered = claim.delivery - (claim.uncounted ? 1 : 0);
    for (std::size_t i = 0; i < claim.size(); ++i) {
      const std::size_t begin = i;
      while (i < claim.size() && !claim.is_done(i)) ++i;
      if (i > begin)
        retry(std::get<0>(key), static_cast<u64>(claim.priority), now(),
              {claim.stream, claim.first + begin, claim.first + i - 1, delivered, "its consumer died or was cut off"});
    }
  }
  return answer;
}

void Ledger::end_holders(std::span<const Id> holders) {
  for (const Id id : holders) {
    if (!lives(id)) continue;
    HolderRow& holder = books_.holders.edit(id);
    holder.ended = true;
    holder.numbered.clear();
  }
}

Completion Ledger::run(const driver::ListPeers& list) {
  Completion answer;
  for (const Id id : books_.groups_of(list.queue)) {
    const GroupRow& group = books_.groups.at(id);
    if (id > list.after && group.kind == "mailbox" && (!list.anonymous || driver::is_anonymous(group.peer)))
      answer.peers.push_back({id, group.peer});
  }
  if (list.wait && answer.peers.empty()) waiting_.caller().peers.insert(list.queue);
  return answer;
}

Completion Ledger::run(const Hold& hold) {
  const HoldRow* held = books_.holds.find({hold.queue, hold.what});
  if (hold.release) {
    if (held && held->holder == hold.holder) release(hold.queue, hold.what);
    return {};
  }
  if (!lives(hold.holder)) return refuse(Code::fenced, "This holder has ended: become a new one.");
  if (!books_.queues.find(hold.queue)) return refuse(Code::not_found, "No such queue.");
  if (held && held->holder != hold.holder && lives(held->holder) && !has_vanished(held->holder))
    return refuse(Code::busy, hold.what + " is held by another.");
  books_.holds.make({hold.queue, hold.what}).holder = hold.holder;
  return {};
}

Completion Ledger::run(const driver::Forget& forget) {
  books_.producers.erase(forget.producer);
  return {};
}

/// A link whose session was lost may come back for its mailbox.
void Ledger::end_holder(Id id) {
  if (books_.holders.at(id).ended_at == StoreTime{}) books_.holders.edit(id).ended_at = now();
  const bool may_come_back = now() - books_.holders.at(id).ended_at < std::chrono::seconds(60);
  std::vector<HoldKey> over;
  for (const auto& [name, row] : books_.holds.all())
    if (row.holder == id && !(may_come_back && driver::is_anonymous(driver::peer_of_hold(std::get<1>(name)))))
      over.push_back(name);
  for (const auto& [queue, what] : over) release(queue, what);
}

/// Those of sessions that are over, whose names may be free by now; and who has nothing any more is forgotten.
void Ledger::end_holders() {
  std::vector<Id> vanished;
  for (const auto& [id, row] : books_.holders.all())
    if (clock_.now() - row.heard > row.lease && has_vanished(id)) vanished.push_back(id);
  end_holders(vanished);
  const auto with_names = [this] {
    std::set<Id> found;
    for (const auto& [name, row] : books_.holds.all()) found.insert(row.holder);
    return found;
  };
  for (const Id id : with_names())
    if (books_.holders.at(id).ended) end_holder(id);
  const auto named = with_names();
  std::vector<Id> over;
  for (const auto& [id, row] : books_.holders.all())
    if (row.ended && row.claims == 0 && !named.contains(id)) over.push_back(id);
  for (const Id id : over) books_.holders.erase(id);
}

void Ledger::release(Id queue, const std::string& what) {
  books_.holds.erase({queue, what});
  const std::string peer(driver::peer_of_hold(what));
  if (driver::is_anonymous(peer)) (void)remove_mailbox(queue, peer);
}

/// Answers how many messages nobody had read.
u64 Ledger::remove_mailbox(Id queue, const std::string& peer) {
  u64 unread = 0;
  const auto streams = books_.streams_of(queue, "mailbox", peer);
  if (streams.empty()) return 0;
  for (const Id group : books_.groups_of(*streams.front())) {
    unread += stats(books_.groups.at(group)).depth;
    end_deliveries(books_.groups.at(group));
    books_.erase_group(group);
  }
  for (const StreamRow* stream : streams) {
    unread += stream->delayed;
    log_.erase_all(*stream);
    books_.erase_stream(stream->id);
  }
  count(queue, "undeliverable", unread);
  return unread;
}

}  // namespace vtx::rocks
