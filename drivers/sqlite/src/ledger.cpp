/* SPDX-License-Identifier: MPL-2.0 */
//
// The frame around the subjects: a transaction's books, and who is to be woken after it.
#include "ledger.hpp"

namespace vtx::sqlite {

void Ledger::reset() {
  streams_.clear();
  begin({});
}

void Ledger::begin(StoreTime now) {
  now_ = now.time_since_epoch().count();
  heads_.clear();
  mailboxes_.clear();
  appended_.clear();
  retried_.clear();
  joined_.clear();
}

std::vector<Id> Ledger::awakened() {
  std::set<Id> groups = retried_;
  for (const Id stream : appended_) {
    auto rows = database_.query(
        "SELECT g.id FROM vtx_stream s JOIN vtx_group g ON g.queue = s.queue AND g.kind = s.kind AND g.peer = s.peer "
        "WHERE s.id = ?",
        stream);
    while (rows.next()) groups.insert(rows.number(0));
  }
  return {groups.begin(), groups.end()};
}

bool Ledger::is_claimable(Id group) {
  if (database_.value("SELECT 1 FROM vtx_retry WHERE grp = ? AND due <= ? LIMIT 1", group, now_)) return true;
  return database_
      .value(
          "SELECT 1 FROM vtx_group g JOIN vtx_stream s ON s.queue = g.queue AND s.kind = g.kind AND s.peer = g.peer "
          "LEFT JOIN vtx_cursor c ON c.grp = g.id AND c.stream = s.id WHERE g.id = ? AND EXISTS (SELECT 1 FROM "
          "vtx_message "
          "WHERE id >= (s.id << 43) + ifnull(c.next, 1) AND id < (s.id + 1) << 43) LIMIT 1",
          group)
      .has_value();
}

bool Ledger::has_retry(Id group) {
  return database_.value("SELECT 1 FROM vtx_retry WHERE grp = ? LIMIT 1", group).has_value();
}

}  // namespace vtx::sqlite
