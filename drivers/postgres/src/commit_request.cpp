/* SPDX-License-Identifier: MPL-2.0 */
#include "commit_request.hpp"

#include <algorithm>

#include "texts.hpp"

namespace vtx::postgres {
namespace {

using namespace driver;

std::int32_t small(Id id) { return static_cast<std::int32_t>(std::min<Id>(id, INT32_MAX)); }

/// An array of one value an element of `from`.
template <class Range, class Of>
void add_array(Parameters& to, Oid type, const Range& from, Of of) {
  to.begin_array(type);
  for (const auto& one : from) to.element(of(one));
  to.end_array();
}

template <class Of>
bool any_message(const Commit& commit, Of of) {
  return std::any_of(commit.appends.begin(), commit.appends.end(), [&](const Append& append) {
    return std::any_of(append.messages.begin(), append.messages.end(), of);
  });
}

/// One value a message, or nothing at all when there is nothing to say of any.
template <class Is, class Put>
void add_of_messages(Parameters& to, Oid type, Oid array, const Commit& commit, Is is, Put put) {
  if (!any_message(commit, is)) {
    to.add_null(array);
    return;
  }
  to.begin_array(type);
  for (const auto& append : commit.appends)
    for (const auto& message : append.messages) put(message);
  to.end_array();
}

void add_appends(Parameters& to, const std::vector<Append>& appends) {
  add_array(to, kInt4, appends, [](const Append& append) { return small(append.stream); });
  add_array(to, kInt4, appends, [](const Append& append) { return small(append.queue); });
  add_array(to, kText, appends, [](const Append& append) { return stored_name(append.peer); });
  add_array(to, kInt4, appends, [](const Append& append) { return std::int32_t{append.priority}; });
  add_array(to, kInt4, appends, [](const Append& append) { return std::int32_t{append.only_if}; });
  add_array(to, kInt4, appends, [](const Append& append) { return static_cast<std::int32_t>(append.messages.size()); });
}

void add_messages(Parameters& to, const Commit& commit, bool with_delays) {
  to.begin_array(kBytea);
  for (const auto& append : commit.appends)
    for (const auto& message : append.messages) to.element_bytes(message.body);
  to.end_array();
  add_of_messages(
      to, kInt4, kInt4Array, commit, [](const Message& message) { return message.frames != 1; },
      [&](const Message& message) { to.element(static_cast<std::int32_t>(message.frames)); });
  add_of_messages(
      to, kBytea, kByteaArray, commit, [](const Message& message) { return !message.properties.empty(); },
      [&](const Message& message) {
        if (message.properties.empty())
          to.element_null();
        else
          to.element_bytes(std::as_bytes(std::span(message.properties)));
      });
  for (const auto time : {&Message::delay, &Message::ttl}) {
    if (time == &Message::delay && !with_delays) continue;
    add_of_messages(
        to, kInt8, kInt8Array, commit, [&](const Message& message) { return message.*time > Ms::zero(); },
        [&](const Message& message) { to.element(std::int64_t{(message.*time).count()}); });
  }
}

/// Bit i of the words, from the left.
void add_bits(Parameters& to, const std::vector<u64>& words, std::vector<std::byte>& bytes) {
  const auto size = static_cast<u32>(words.size() * 64);
  bytes.clear();
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::byte>(size >> shift));
  for (u64 word : words) {
    for (int i = 0; i < 8; ++i, word >>= 8) {
      auto byte = static_cast<unsigned>(word & 0xff);
      byte = (byte & 0xf0) >> 4 | (byte & 0x0f) << 4;
      byte = (byte & 0xcc) >> 2 | (byte & 0x33) << 2;
      byte = (byte & 0xaa) >> 1 | (byte & 0x55) << 1;
      bytes.push_back(static_cast<std::byte>(byte));
    }
  }
  to.element_bytes(bytes);
}

void add_settles(Parameters& to, const std::vector<Settle>& settles) {
  add_array(to, kInt4, settles, [](const Settle& settle) { return small(settle.group); });
  add_array(to, kInt8, settles, [](const Settle& settle) { return settle.claim; });
  std::vector<std::byte> bytes;
  to.begin_array(kVarbit);
  for (const auto& settle : settles) add_bits(to, settle.done, bytes);
  to.end_array();
}

void add_odd(Parameters& to, const std::vector<Settle>& settles) {
  struct Row {
    std::int32_t settle;
    const Odd* odd;
  };
  std::vector<Row> rows;
  for (std::size_t i = 0; i < settles.size(); ++i)
    for (const auto& odd : settles[i].odd) rows.push_back({static_cast<std::int32_t>(i), &odd});
  if (rows.empty()) {
    to.add_null(kInt4Array).add_null(kInt4Array).add_null(kInt4Array).add_null(kInt8Array).add_null(kTextArray);
    return;
  }
  add_array(to, kInt4, rows, [](const Row& row) { return row.settle; });
  add_array(to, kInt4, rows, [](const Row& row) { return static_cast<std::int32_t>(row.odd->offset); });
  add_array(to, kInt4, rows, [](const Row& row) { return static_cast<std::int32_t>(row.odd->verdict); });
  add_array(to, kInt8, rows, [](const Row& row) { return std::int64_t{row.odd->delay.count()}; });
  to.begin_array(kText);
  for (const auto& row : rows) to.element(std::string_view(readable(row.odd->reason)));
  to.end_array();
}

/// One append of messages for now, which has a function of its own.
bool is_plain(const Commit& commit) {
  return commit.appends.size() == 1 && commit.settles.empty() && commit.tallies.empty() && commit.counter > 0 &&
         commit.appends[0].stream != 0 && commit.appends[0].priority == 0 && commit.appends[0].only_if < 0 &&
         !any_message(commit, [](const Message& message) { return message.delay > Ms::zero(); });
}

/// The narrowest function that does it: which ones a role may call says what it may do (sql/rights.sql).
const char* door_of(const Commit& commit) {
  const bool sends = std::any_of(commit.appends.begin(), commit.appends.end(),
                                 [](const Append& append) { return append.stream != 0; });
  if (sends) return commit.settles.empty() ? "commit_sends" : "commit_all";
  return commit.settles.empty() && commit.appends.empty() ? "commit_tallies" : "commit_settles";
}

}  // namespace

/// Well-formed as RFC 3629 has it.
Status check_commit(const Commit& commit) {
  for (const auto& append : commit.appends) {
    if (!append.origin.empty()) return {Code::unsupported, "forwarding between stores is not yet supported"};
    if (append.only_if >= static_cast<int>(commit.settles.size()))
      return {Code::invalid, "only_if names no settlement of this commit"};
    if (append.priority < 0 || append.priority > kHighestPriority)
      return {Code::invalid, "no such priority " + std::to_string(append.priority)};
    for (const auto& message : append.messages) {
      if (message.body.size() + message.properties.size() > kLargest)
        return {Code::invalid, "a message of " + std::to_string(message.body.size()) +
                                   " bytes is over the Postgres driver's limit of " + std::to_string(kLargest)};
    }
  }
  return {};
}

Request make_commit(const std::string& schema, const Life& life, const Commit& commit) {
  const bool plain = is_plain(commit);
  Request request = call(schema, life, plain ? "commit_append" : door_of(commit), plain ? 8 : 25);
  const bool writes = !commit.appends.empty() || !commit.settles.empty();
  request.durable = commit.sync && writes;
  Parameters& to = request.parameters;
  to.add_uuid(commit.producer).add(commit.counter).add(request.durable);
  if (plain) {
    to.add(small(commit.appends[0].stream));
    add_messages(to, commit, false);
    return request;
  }
  add_appends(to, commit.appends);
  add_messages(to, commit, true);
  add_settles(to, commit.settles);
  add_odd(to, commit.settles);
  add_array(to, kInt4, commit.tallies, [](const Tally& tally) { return small(tally.queue); });
  add_array(to, kText, commit.tallies, [](const Tally& tally) { return std::string_view(tally.what); });
  add_array(to, kInt8, commit.tallies, [](const Tally& tally) { return tally.n; });
  return request;
}

}  // namespace vtx::postgres
