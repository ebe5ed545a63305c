/* SPDX-License-Identifier: MPL-2.0 */
//
// Rows in memory that remember which of them changed, so that a write puts these, and only these, on disk.
#pragma once

#include <map>
#include <set>

#include "codec.hpp"
#include "disk.hpp"

namespace vtx::rocks {

/// Rows by key; on disk under a letter and the key.
template <class Key, class Row>
class Table {
 public:
  explicit Table(char letter) : letter_(1, letter) {}

  const std::map<Key, Row>& all() const { return rows_; }
  const Row* find(const Key& key) const {
    const auto found = rows_.find(key);
    return found == rows_.end() ? nullptr : &found->second;
  }
  /// Of a row that is there.
  const Row& at(const Key& key) const { return rows_.at(key); }
  /// Likewise, to be changed.
  Row& edit(const Key& key) {
    touched_.insert(key);
    return rows_.at(key);
  }
  /// Likewise, only in what is of this run and not in fields().
  Row& recall(const Key& key) { return rows_.at(key); }
  /// Makes the row when there is none.
  Row& make(const Key& key) {
    touched_.insert(key);
    return rows_[key];
  }
  void erase(const Key& key) {
    if (rows_.erase(key) > 0) touched_.insert(key);
  }
  bool is_touched() const { return !touched_.empty(); }

  /// Puts what changed into the disk's batch.
  void write(Disk& disk) {
    for (const Key& key : touched_) {
      std::string name = letter_;
      put_key(name, key);
      if (const Row* row = find(key))
        disk.put(Family::books, name, encode(*row));
      else
        disk.erase(Family::books, name);
    }
    touched_.clear();
  }
  /// Reads all rows. False when one of them cannot be understood.
  bool load(const Disk& disk) {
    std::string end = letter_;
    ++end.front();
    Cursor cursor(disk, Family::books, {letter_, end});
    for (cursor.seek(letter_); cursor.valid(); cursor.next()) {
      std::string_view name = cursor.key().substr(1);
      Key key{};
      if (!take_key(name, key) || !name.empty() || !decode(cursor.value(), rows_[key])) return false;
    }
    return true;
  }

 private:
  std::string letter_;
  std::map<Key, Row> rows_;
  std::set<Key> touched_;
};

}  // namespace vtx::rocks
