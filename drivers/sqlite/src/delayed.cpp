/* SPDX-License-Identifier: MPL-2.0 */
//
// The timer ledger: messages that wait for their time, and their way into their streams. Whoever wants messages of the queue fires what
// is due, so nobody need be awake for a queue that nobody waits for.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::sqlite {
namespace {

/// A row of the ledger, and the bytes that its message borrows.
struct Due {
  std::int64_t expires = 0;  // 0 never
  u32 frames = 1;
  std::vector<std::byte> body;
  std::string properties;
};

}  // namespace

std::optional<std::int64_t> Ledger::first_due(Id stream) {
  return database_.value("SELECT min(due) FROM vtx_delayed WHERE stream = ?", stream);
}

/// Puts into the ledger what is not for now.
void Ledger::delay(Id stream, const std::vector<driver::Message>& messages) {
  const auto first = first_due(stream);
  u64 count = 0;
  u64 bytes = 0;
  auto row = database_.query(
      "INSERT INTO vtx_delayed (body, due, expires, frames, properties, stream) VALUES (?, ?, ?, ?, ?, ?)", nullptr,
      nullptr, nullptr, nullptr, nullptr, stream);
  for (const auto& message : messages) {
    if (message.delay <= Ms::zero()) continue;
    const auto due = now_ + message.delay.count();
    row.bind(message.body, due, nullptr, message.frames, nullptr);
    if (message.ttl > Ms::zero()) row.bind_one(3, due + message.ttl.count());
    if (!message.properties.empty()) row.bind_one(5, message.properties);
    row.run();
    ++count;
    bytes += message.body.size();
    // Who waits knows of the first one; only an earlier one is news.
    if (!first || due < *first) sooner_.insert(stream);
  }
  database_.run("UPDATE vtx_stream SET delayed = delayed + ?2, delayed_bytes = delayed_bytes + ?3 WHERE id = ?1",
                stream, count, bytes);
}

/// Appends what is due to the stream, in the order of the times, as far as the budget reaches. True when it may have left some that are due.
bool Ledger::fire(Id stream, Budget& budget) {
  if (budget.rows == 0 || budget.bytes == 0) return true;
  std::vector<Due> due;
  u64 bytes = 0;
  {
    auto rows = database_.query(
        "SELECT due, id, expires, frames, properties, body FROM vtx_delayed WHERE stream = ? AND due <= ? ORDER BY "
        "due, id LIMIT ?",
        stream, now_, budget.rows);
    std::int64_t time = 0;
    u64 id = 0;
    while (bytes < budget.bytes && rows.next()) {
      time = rows.integer(0);
      id = rows.number(1);
      const auto body = rows.blob(5);
      due.push_back(
          {rows.integer(2), static_cast<u32>(rows.integer(3)), {body.begin(), body.end()}, std::string(rows.text(4))});
      bytes += body.size();
    }
    rows.reset();
    if (due.empty()) return false;
    budget.rows -= due.size();
    budget.bytes -= std::min(budget.bytes, bytes);
    database_.run("DELETE FROM vtx_delayed WHERE stream = ? AND (due, id) <= (?, ?)", stream, time, id);
  }
  database_.run("UPDATE vtx_stream SET delayed = delayed - ?2, delayed_bytes = delayed_bytes - ?3 WHERE id = ?1",
                stream, due.size(), bytes);
  std::vector<driver::Message> messages;
  for (const auto& one : due) {
    if (one.expires != 0 && one.expires <= now_) continue;
    driver::Message& message = messages.emplace_back();
    message.body = one.body;
    message.frames = one.frames;
    message.properties = one.properties;
    // It lives from when it was due, however much later somebody came for it.
    if (one.expires != 0) message.ttl = Ms(one.expires - now_);
  }
  append(stream, messages);
  if (const u64 late = due.size() - messages.size(); late > 0) {
    count(stream_info(stream)->queue, 0, "expired", late);
    freed_.insert(stream);
  }
  const auto next = first_due(stream);
  return next && *next <= now_;
}

/// For those who only read.
void Ledger::fire_all(Id queue, Completion& out) {
  std::vector<Id> streams;
  {
    auto rows = database_.query("SELECT id FROM vtx_stream WHERE queue = ? AND delayed > 0", queue);
    while (rows.next()) streams.push_back(rows.number(0));
  }
  Budget budget;
  for (const Id stream : streams) out.more = fire(stream, budget) || out.more;
}

/// The stream goes, and with it what waits for it. Answers how many.
u64 Ledger::drop_delayed(Id stream) {
  const auto delayed = database_.value("SELECT delayed FROM vtx_stream WHERE id = ?", stream).value_or(0);
  if (delayed > 0) database_.run("DELETE FROM vtx_delayed WHERE stream = ?", stream);
  return static_cast<u64>(delayed);
}

}  // namespace vtx::sqlite
