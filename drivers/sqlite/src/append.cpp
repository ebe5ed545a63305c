/* SPDX-License-Identifier: MPL-2.0 */
//
// Commits: settlements, then messages at the ends of their streams, then the producer's watermark.
#include <algorithm>
#include <iterator>

#include "ledger.hpp"

namespace vtx::sqlite {

const Ledger::StreamInfo* Ledger::stream_info(Id stream) {
  if (const auto known = streams_.find(stream); known != streams_.end()) return &known->second;
  if (const auto known = mailboxes_.find(stream); known != mailboxes_.end()) return &known->second;
  auto rows = database_.query(
      "SELECT q.id, q.name GLOB '*.dead', s.kind = 'mailbox' FROM vtx_stream s JOIN vtx_queue q ON q.id = s.queue "
      "WHERE s.id = ?",
      stream);
  if (!rows.next()) return nullptr;
  auto& known = rows.integer(2) != 0 ? mailboxes_ : streams_;
  return &known.emplace(stream, StreamInfo{rows.number(0), rows.integer(1) != 0}).first->second;
}

Ledger::Head& Ledger::head_of(Id stream) {
  const auto known = heads_.find(stream);
  if (known != heads_.end()) return known->second;
  Head head;
  {
    auto rows = database_.query(
        "SELECT s.next - 1, s.stored, s.bytes IS NOT NULL, ifnull(q.max_messages, -1), ifnull(q.max_bytes, -1) FROM "
        "vtx_stream s JOIN vtx_queue q ON q.id = s.queue WHERE s.id = ?",
        stream);
    if (rows.next()) head = {rows.number(0), rows.integer(1), rows.integer(2) != 0, {rows.number(3), rows.number(4)}};
  }
  auto rows = database_.query("SELECT id, stored FROM vtx_message WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1",
                              row_of(stream, 0), row_of(stream + 1, 0));
  if (rows.next()) {
    head.last = std::max(head.last, seq_of(rows.number(0)));
    head.stored = std::max(head.stored, rows.integer(1));
  }
  return heads_.emplace(stream, head).first->second;
}

Status Ledger::check(const driver::Commit& commit) {
  const auto longest = static_cast<std::size_t>(sqlite3_limit(database_.raw(), SQLITE_LIMIT_LENGTH, -1));
  for (const auto& append : commit.appends) {
    if (!append.origin.empty()) return {Code::unsupported, "forwarding between stores is not yet supported"};
    if (append.stream != 0 && !stream_info(append.stream))
      return {Code::not_found, "no such stream " + std::to_string(append.stream)};
    if (append.only_if >= static_cast<int>(commit.settles.size()))
      return {Code::invalid, "only_if names no settlement of this commit"};
    if (append.priority < 0 || append.priority > driver::kHighestPriority)
      return {Code::invalid, "no such priority " + std::to_string(append.priority)};
    for (const auto& message : append.messages) {
      // The row needs a little more than its body.
      if (message.body.size() + message.properties.size() + 64 > longest)
        return {Code::invalid, "a message of " + std::to_string(message.body.size()) +
                                   " bytes is over SQLite's limit of " + std::to_string(longest)};
    }
  }
  return {};
}

/// It had been committed, only the answer was lost.
bool Ledger::is_repeated(const driver::Commit& commit) {
  if (commit.counter == 0) return false;
  const auto seen = database_.value("SELECT counter FROM vtx_producer WHERE id = ?", commit.producer);
  return seen && static_cast<u64>(*seen) >= commit.counter;
}

void Ledger::answer_again(const driver::Commit& commit, Completion& out) {
  auto rows = database_.query("SELECT settle FROM vtx_fenced WHERE producer = ? AND counter = ? ORDER BY settle",
                              commit.producer, commit.counter);
  while (rows.next()) out.fenced.push_back(static_cast<u32>(rows.integer(0)));
  if (commit.appends.empty()) return;
  if (const Id stream = target_of(commit.appends.back(), false)) out.head = head_of(stream).last;
}

/// The stream that it is for; 0 none.
Id Ledger::target_of(const driver::Append& append, bool create) {
  const Id stream = append.stream != 0 ? append.stream : find_stream({append.queue, "mailbox", append.peer, 0});
  return stream == 0 || append.priority == 0 ? stream : sibling_of(stream, append.priority, create);
}

/// The stream of another priority beside one of priority 0.
Id Ledger::sibling_of(Id stream, int priority, bool create) {
  driver::OpenStream sibling;
  {
    auto rows = database_.query("SELECT queue, kind, peer FROM vtx_stream WHERE id = ?", stream);
    if (!rows.next()) return 0;
    sibling = {rows.number(0), std::string(rows.text(1)), std::string(rows.text(2)), priority};
  }
  const Id found = find_stream(sibling);
  return found != 0 || !create ? found : make_stream(sibling);
}

void Ledger::apply(const driver::Commit& commit, Completion& out) {
  out.status = check(commit);
  if (!out.status.ok()) return;
  if (is_repeated(commit)) return answer_again(commit, out);
  out.status = check_room(commit, out);
  if (!out.status.ok()) return;
  std::vector<bool> holds(commit.settles.size());
  for (u32 i = 0; i < commit.settles.size(); ++i) {
    holds[i] = settle(commit.settles[i]);
    if (!holds[i]) out.fenced.push_back(i);
  }
  for (const auto& add : commit.appends) {
    if (add.only_if >= 0 && !holds[static_cast<std::size_t>(add.only_if)]) continue;
    const Id stream = target_of(add, true);
    if (stream == 0) {
      out.count += add.messages.size();
      count(add.queue, 0, "undeliverable", add.messages.size());
      continue;
    }
    put(stream, add.messages);
    out.head = head_of(stream).last;
  }
  for (const auto& tally : commit.tallies) count(tally.queue, 0, tally.what.c_str(), tally.n);
  if (commit.counter == 0) return;
  // Only the newest commit can be asked for again.
  if (!out.fenced.empty()) database_.run("DELETE FROM vtx_fenced WHERE producer = ?", commit.producer);
  for (const u32 settle : out.fenced)
    database_.run("INSERT INTO vtx_fenced (producer, counter, settle) VALUES (?, ?, ?)", commit.producer,
                  commit.counter, settle);
  database_.run(
      "INSERT INTO vtx_producer (id, counter, seen) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET counter = ?2, "
      "seen = ?3",
      commit.producer, commit.counter, now_);
}

void Ledger::put(Id stream, const std::vector<driver::Message>& messages) {
  const auto waits = [](const driver::Message& message) { return message.delay > Ms::zero(); };
  if (std::none_of(messages.begin(), messages.end(), waits)) return append(stream, messages);
  delay(stream, messages);
  std::vector<driver::Message> now;
  std::remove_copy_if(messages.begin(), messages.end(), std::back_inserter(now), waits);
  append(stream, now);
}

// The hot loop of every producer: only what differs from row to row is bound again.
void Ledger::append(Id stream, const std::vector<driver::Message>& messages) {
  if (messages.empty()) return;
  auto& head = head_of(stream);
  head.stored = std::max(head.stored, now_);
  auto row = database_.query(
      "INSERT INTO vtx_message (body, id, stored, expires, frames, properties) VALUES (?, ?, ?, ?, ?, ?)", nullptr,
      nullptr, head.stored, nullptr, 1, nullptr);
  bool plain = true;
  u64 bytes = 0;
  for (const auto& message : messages) {
    bytes += message.body.size();
    row.bind(message.body, row_of(stream, ++head.last));
    const bool special = message.frames != 1 || message.ttl > Ms::zero() || !message.properties.empty();
    if (special || !plain) {
      row.bind_one(4, nullptr);
      row.bind_one(6, nullptr);
      if (message.ttl > Ms::zero()) row.bind_one(4, head.stored + message.ttl.count());
      row.bind_one(5, message.frames);
      if (!message.properties.empty()) row.bind_one(6, message.properties);
      plain = !special;
    }
    row.run();
  }
  if (head.counted) database_.run("UPDATE vtx_stream SET bytes = bytes + ? WHERE id = ?", bytes, stream);
  appended_.insert(stream);
  touch(stream, Touch::appended);
}

void Ledger::append_one(Id stream, const driver::Message& message) { append(stream, {message}); }

}  // namespace vtx::sqlite
