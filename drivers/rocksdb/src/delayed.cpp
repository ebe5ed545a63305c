/* SPDX-License-Identifier: MPL-2.0 */
//
// Delayed messages wait on disk by their times, and go to their streams when somebody wants messages of these. Key in the column family
// `delayed`: stream, due, id. Value: frames, expires, properties with their length, and the body up to the end.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::rocks {
namespace {

constexpr int kFiredAtOnce = 1000;

KeyRange range_of(const StreamRow& stream) { return {key_of(stream.id, u64{0}), key_of(stream.id, ~u64{0})}; }

StoreTime due_of(std::string_view key) {
  Id stream = 0;
  StoreTime due{};
  (void)(take_key(key, stream) && take_key(key, due));
  return due;
}

struct DelayedMessage {
  std::string key;
  std::string value;
  driver::Message message;  // refers to the value
};

bool parse(DelayedMessage& row) {
  std::string_view in = row.value;
  u64 frames = 0, expires = 0, properties = 0;
  if (!take_number(in, frames) || !take_number(in, expires) || !take_number(in, properties) || properties > in.size())
    return false;
  row.message.body = bytes_of(in.substr(properties));
  row.message.frames = static_cast<u32>(frames);
  row.message.properties = in.substr(0, properties);
  row.message.expires = StoreTime(Ms(static_cast<Ms::rep>(expires)));
  return true;
}

}  // namespace

void Ledger::delay(StreamRow& stream, const driver::Message& message) {
  const StoreTime due = now() + message.delay;
  const StoreTime expires = message.ttl > Ms::zero() ? due + message.ttl : StoreTime{};
  std::string header;
  put_number(header, message.frames);
  put_number(header, static_cast<u64>(expires.time_since_epoch().count()));
  put_number(header, message.properties.size());
  const std::string_view body = text_of(message.body);
  const std::array<std::string_view, 3> parts{header, message.properties, body};
  disk_.put(Family::delayed, key_of(stream.id, due, books_.next_id()), parts);
  const bool is_first = stream.delayed == 0 || due < stream.delayed_first;
  if (is_first) stream.delayed_first = due;
  ++stream.delayed;
  stream.delayed_bytes += body.size();
  if (is_first) waiting_.ring_stream(stream);
}

/// Appends what is due to the stream. True when it has left some that is.
bool Ledger::fire(Id id) {
  const StreamRow& row = books_.streams.at(id);
  if (row.delayed == 0 || row.delayed_first > now()) return false;
  std::vector<DelayedMessage> due;
  u64 bytes = 0;
  StoreTime next{};
  bool more = false;
  {
    Cursor cursor(disk_, Family::delayed, range_of(row));
    // Not from the beginning, where what fired before has left its traces.
    for (cursor.seek(key_of(id, row.delayed_first)); cursor.valid(); cursor.next()) {
      next = due_of(cursor.key());
      if (next > now()) break;
      more = due.size() == kFiredAtOnce || bytes > driver::kMaxBatchBytes;
      if (more) break;
      DelayedMessage& taken =
          due.emplace_back(DelayedMessage{std::string(cursor.key()), std::string(cursor.value()), {}});
      bytes += taken.value.size();
    }
  }
  for (DelayedMessage& taken : due)
    if (!parse(taken))
      throw DiskError({Code::corrupt, "a delayed message of stream " + std::to_string(id) + " cannot be understood"});
  StreamRow& stream = books_.streams.edit(id);
  std::vector<driver::Message> fresh;
  for (DelayedMessage& taken : due) {
    disk_.erase(Family::delayed, taken.key);
    --stream.delayed;
    stream.delayed_bytes -= std::min<u64>(stream.delayed_bytes, taken.message.body.size());
    if (taken.message.expires != StoreTime{} && taken.message.expires <= now())
      count(stream.queue, "expired", 1);
    else
      fresh.push_back(taken.message);
  }
  stream.delayed_first = next;
  unsynced_.fire(id, stream.head + 1);
  if (!fresh.empty()) log_.append(stream, fresh, now());
  if (!due.empty()) {
    waiting_.ring_stream(stream, true);
    waiting_.ring_room(books_.queues.at(stream.queue));  // of what expired there is nothing left
    flush_();
  }
  return more;
}

bool Ledger::fire(const std::vector<const StreamRow*>& streams) {
  bool more = false;
  for (const StreamRow* stream : streams) more = fire(stream->id) || more;
  return more;
}

std::optional<Ms> Ledger::delayed_in(const StreamRow& stream) {
  if (stream.delayed == 0) return std::nullopt;
  return std::max(Ms(0), stream.delayed_first - now());
}

}  // namespace vtx::rocks
