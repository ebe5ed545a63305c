/* SPDX-License-Identifier: MPL-2.0 */
//
// Full queues: what is in one counts by the view vtx_load, for plain SQL as for VTX. Replies are not counted: who could not answer would
// hold the requests that fill the queue.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::sqlite {

/// What is there in the direction that the stream belongs to.
driver::QueueLimit Ledger::load_of(Id stream) {
  auto rows = database_.query(
      "SELECT ifnull(sum(l.messages), 0), ifnull(sum(l.bytes), 0) FROM vtx_stream s JOIN vtx_load l ON l.queue = "
      "s.queue AND l.kind = s.kind AND l.peer = s.peer WHERE s.id = ?",
      stream);
  rows.next();
  return {rows.number(0), rows.number(1)};
}

/// Refuses a commit that would fill a queue over its limit.
Status Ledger::check_room(const driver::Commit& commit, Completion& out) {
  std::map<Id, driver::QueueLimit> adding;
  for (const auto& append : commit.appends) {
    if (append.stream == 0 || head_of(append.stream).limit.none() || mailboxes_.contains(append.stream)) continue;
    auto& more = adding.try_emplace(append.stream, driver::QueueLimit{0, 0}).first->second;
    more.messages += append.messages.size();
    for (const auto& message : append.messages) more.bytes += message.body.size();
  }
  for (const auto& [stream, more] : adding) {
    const auto limit = head_of(stream).limit;
    const auto there = load_of(stream);
    if (limit.fits(there, more)) continue;
    const auto left = limit.left(there);
    out.room = {static_cast<u32>(std::min<u64>(left.messages, driver::kMaxBatch)), left.bytes};
    full_ = stream;
    auto rows = database_.query("SELECT name, size_limit FROM vtx_queue WHERE id = ?", stream_info(stream)->queue);
    rows.next();
    return {Code::full, "queue " + std::string(rows.text(0)) + " is at its limit of " + std::string(rows.text(1)) +
                            ": consume what is in it"};
  }
  return {};
}

bool Ledger::has_room(Id stream) {
  const auto limit = head_of(stream).limit;
  const auto left = limit.none() ? limit : limit.left(load_of(stream));
  return left.messages > 0 && left.bytes > 0;
}

/// The streams of priority 0 whose queues have lost messages in this transaction, or limits.
std::vector<Id> Ledger::freed() {
  std::set<Id> streams;
  for (const Id stream : freed_) {
    auto rows = database_.query(
        "SELECT b.id FROM vtx_stream s JOIN vtx_stream b ON b.queue = s.queue AND b.kind = s.kind AND b.peer = s.peer "
        "AND b.priority = 0 WHERE s.id = ?",
        stream);
    if (rows.next()) streams.insert(rows.number(0));
  }
  return {streams.begin(), streams.end()};
}

/// A limit was declared: where it is one of bytes, each stream counts its own from now on.
void Ledger::begin_limit(Id queue, const driver::QueueLimit& limit) {
  std::vector<Id> streams;
  {
    auto rows = database_.query("SELECT id FROM vtx_stream WHERE queue = ? AND kind <> 'mailbox'", queue);
    while (rows.next()) streams.push_back(rows.number(0));
  }
  freed_.insert(streams.begin(), streams.end());
  heads_.clear();
  if (limit.bytes == driver::QueueLimit{}.bytes) return;
  for (const Id stream : streams)
    database_.run(
        "UPDATE vtx_stream SET bytes_from = 0, bytes = (SELECT ifnull(sum(m.bytes), 0) FROM vtx_message m WHERE m.id "
        ">= ?2 AND m.id < ?3) WHERE id = ?1",
        stream, row_of(stream, 0), row_of(stream + 1, 0));
}

}  // namespace vtx::sqlite
