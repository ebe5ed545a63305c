/* SPDX-License-Identifier: MPL-2.0 */
//
// Delayed messages of the in-memory store: they wait by their times, and go to their streams when somebody wants messages of their queue.
#include <algorithm>

#include "support/memory_database.hpp"

namespace vtx::test {

namespace {
constexpr int kFiredAtOnce = 1000;
}

void MemoryDatabase::delay(const StreamRow& stream, MessageRow row, Ms by) {
  const StoreTime due = now() + by;
  if (row.expires != StoreTime{}) row.expires = due + (row.expires - StoreTime{});
  tables_.delayed[{due, ++last_id_}] = {stream.id, std::move(row)};
  ring(stream.queue);
}

/// Appends what is due to the stream. True when it has left some that is.
bool MemoryDatabase::fire(Id id) {
  StreamRow& stream = tables_.streams.at(id);
  int fired = 0;
  for (auto it = tables_.delayed.begin(); it != tables_.delayed.end() && it->first.first <= now();) {
    if (it->second.stream != id) {
      ++it;
      continue;
    }
    if (fired++ == kFiredAtOnce) break;
    MessageRow row = std::move(it->second.message);
    it = tables_.delayed.erase(it);
    if (row.expires != StoreTime{} && row.expires <= now())
      ++tables_.queues.at(stream.queue).counters["expired"];  // and there is room for another, which ring_all() tells
    else
      append_row(stream, std::move(row));
  }
  if (fired > 0) ring_all(stream.queue);
  return fired > kFiredAtOnce;
}

std::optional<Ms> MemoryDatabase::delayed_in(Id stream) {
  for (const auto& [key, row] : tables_.delayed)
    if (row.stream == stream) return std::max(Ms(0), key.first - now());
  return std::nullopt;
}

u64 MemoryDatabase::drop_delayed(Id stream) {
  return std::erase_if(tables_.delayed, [stream](const auto& entry) { return entry.second.stream == stream; });
}

}  // namespace vtx::test
