/* SPDX-License-Identifier: MPL-2.0 */
//
// What a session waits for, having found nothing, and of what of it the server knows. Apart from the store because it is only books.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "vtx/driver/operations.hpp"

namespace vtx::postgres {

/// Something to wait for: a letter as in a notification (sql/wake.sql), and whose.
struct Key {
  char kind = 'g';  ///< g group, s stream, r room in a stream's queue, j peers of a queue
  std::int32_t id = 0;
  bool operator==(const Key&) const = default;
  bool operator<(const Key& other) const { return kind != other.kind ? kind < other.kind : id < other.id; }
};

/// What was known when it was looked for in vain.
struct Seen {
  driver::u64 newest = 0;        ///< of a stream its newest sequence then; of a queue its newest peer
  std::int64_t due = INT64_MAX;  ///< when, by the store's clock, something is to come; INT64_MAX: nothing
};

/// Confined to the driver's thread.
class Waits {
 public:
  void clear() { *this = Waits(); }
  void add(Key key, const Seen& seen) { waiting_.insert_or_assign(key, seen); }
  /// It came, or is not wanted any more. True when it was waited for.
  bool remove(Key key) { return waiting_.erase(key) > 0; }
  bool empty() const { return waiting_.empty(); }
  const std::map<Key, Seen>& waiting() const { return waiting_; }

  /// Waited for, and the server does not know; not while it is being told.
  std::vector<Key> unarmed() const;
  void asked(Key key) { asked_.insert(key); }
  /// The server was asked for all of these, and has taken note of the others only.
  void answered(const std::vector<Key>& armed);
  bool armed(Key key) const { return armed_.contains(key); }
  void disarm(Key key) { armed_.erase(key); }

 private:
  std::map<Key, Seen> waiting_;
  std::set<Key> asked_, armed_;
};

/// The words of a notification's payload that name keys; nullopt: anything may have changed. `sent`: queues that something was sent to from SQL.
std::optional<std::vector<Key>> parse_words(std::string_view payload, std::vector<std::int32_t>& sent);

}  // namespace vtx::postgres
