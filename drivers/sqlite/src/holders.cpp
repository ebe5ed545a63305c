/* SPDX-License-Identifier: MPL-2.0 */
//
// Holders: a row that gives each a number never used again, and a slot of the side file in which it beats without committing.
#include <algorithm>

#include "store.hpp"

namespace vtx::sqlite {

void SqliteStore::apply(const driver::Beat& beat, Completion& out) {
  if (beat.holder == 0) {
    const auto slot = side_->take_slot();
    if (!slot) {
      out.status = {Code::busy, path_ + ": all slots of its -vtx file are in use"};
      return;
    }
    database_.run("INSERT INTO vtx_holder (slot, lease_ms) VALUES (?, ?)", *slot, beat.lease.count());
    out.id = static_cast<Id>(database_.last_id());
    side_->begin_holder(*slot, out.id, beat.lease);
    holders_.emplace(out.id, *slot);
    new_holders_.push_back(out.id);
  } else if (const auto mine = holders_.find(beat.holder); mine != holders_.end()) {
    out.id = beat.holder;
    side_->beat(mine->second, beat.lease);
  } else {
    out.status = {Code::fenced, "holder " + std::to_string(beat.holder) + " has ended"};
    return;
  }
  list_holders(out.id, out);
}

/// Beats must go on while the lock is another's or the database is busy, so they need neither.
void SqliteStore::answer_beats() {
  const auto is_beat = [](const Pending& pending) {
    const auto* beat = std::get_if<driver::Beat>(&pending.operation);
    return beat && beat->holder != 0;
  };
  for (auto& pending : queue_) {
    if (!is_beat(pending)) continue;
    Completion out;
    out.ticket = pending.ticket;
    try {
      apply(std::get<driver::Beat>(pending.operation), out);
    } catch (const SqliteError&) {
      // It has beaten; who else holds claims is told next time.
    }
    done_.push_back(std::move(out));
  }
  std::erase_if(queue_, is_beat);
}

void SqliteStore::list_holders(Id except, Completion& out) {
  auto rows = database_.query(
      "SELECT DISTINCT c.holder, ifnull(h.slot, -1) FROM vtx_claim c LEFT JOIN vtx_holder h ON h.id = c.holder WHERE "
      "c.holder <> ?",
      except);
  while (rows.next()) out.holders.push_back(side_->look(static_cast<driver::u32>(rows.integer(1)), rows.number(0)));
}

bool SqliteStore::is_dead(Id holder) {
  const auto slot = database_.value("SELECT slot FROM vtx_holder WHERE id = ?", holder);
  return side_->look(static_cast<driver::u32>(slot.value_or(-1)), holder).dead;
}

void SqliteStore::apply(const driver::TakeOver& take, Completion& out) {
  const auto slot = database_.value("SELECT slot FROM vtx_holder WHERE id = ?", take.holder);
  const auto beat = side_->look(static_cast<driver::u32>(slot.value_or(-1)), take.holder);
  if (!beat.dead && beat.count != take.seen) return;
  out.count = ledger_.take_over(take.holder);
  // One that is only slow keeps its number: it may claim again.
  if (beat.dead) ledger_.end_holder(take.holder);
}

void SqliteStore::apply(const driver::Hold& hold, Completion& out) {
  const auto other = database_.value("SELECT holder FROM vtx_hold WHERE queue = ? AND what = ?", hold.queue, hold.what);
  const auto holder = static_cast<Id>(other.value_or(0));
  if (hold.release) {
    if (holder == hold.holder) ledger_.apply(hold, out);
    return;
  }
  if (!holders_.contains(hold.holder)) {
    out.status = {Code::fenced, "holder " + std::to_string(hold.holder) + " has ended"};
  } else if (holder != 0 && holder != hold.holder && !is_dead(holder)) {
    out.status = {Code::busy, hold.what + " is held by another"};
  } else {
    ledger_.apply(hold, out);
  }
}

/// A group that somebody uses is not taken from him unasked.
void SqliteStore::apply(const driver::Steer& steer, Completion& out) {
  if (steer.verb == driver::Verb::drop_group && !steer.force) {
    const auto users = ledger_.users_of(steer.queue, driver::parse_group_name(steer.group));
    if (std::any_of(users.begin(), users.end(), [&](Id holder) { return !is_dead(holder); })) {
      out.status = {Code::busy, "group '" + steer.group + "' of queue " + steer.queue +
                                    " is in use: end its consumers first, or force it"};
      return;
    }
  }
  ledger_.apply(steer, out);
}

void SqliteStore::give_up_new_holders() {
  for (const Id holder : new_holders_) {
    const auto mine = holders_.find(holder);
    if (mine == holders_.end()) continue;
    side_->free_slot(mine->second);
    holders_.erase(mine);
  }
  new_holders_.clear();
}

/// Rows of holders that ended without claims: stopped, or died idle.
void SqliteStore::forget_dead_holders() {
  std::vector<Id> idle;
  {
    auto rows = database_.query("SELECT id, slot FROM vtx_holder WHERE id NOT IN (SELECT holder FROM vtx_claim)");
    while (rows.next())
      if (side_->look(static_cast<driver::u32>(rows.integer(1)), rows.number(0)).dead) idle.push_back(rows.number(0));
  }
  for (const Id holder : idle) ledger_.end_holder(holder);
}

}  // namespace vtx::sqlite
