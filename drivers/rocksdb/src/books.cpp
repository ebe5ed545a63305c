/* SPDX-License-Identifier: MPL-2.0 */
#include "books.hpp"

#include <algorithm>

#include "vtx/driver/process_name.hpp"

namespace vtx::rocks {
namespace {

constexpr const char* kStoreKey = "store";

}  // namespace

template <class Self, class F>
void Books::each_table(Self& self, F f) {
  f(self.queues);
  f(self.streams);
  f(self.groups);
  f(self.cursors);
  f(self.retries);
  f(self.claims);
  f(self.producers);
  f(self.origins);
  f(self.holds);
  f(self.holders);
  f(self.requeued);
}

void Books::load() {
  const auto store = disk_.get(Family::books, kStoreKey);
  bool whole = store && decode(*store, store_);
  each_table(*this, [&](auto& table) { whole = whole && table.load(disk_); });
  if (!whole) throw DiskError({Code::corrupt, "the rows of this VTX database are damaged; restore it from a backup"});
  index();
}

void Books::index() {
  for (const auto& [id, row] : queues.all()) queue_names_[row.name] = id;
  for (const auto& [id, row] : streams.all()) stream_names_[{row.queue, row.kind, row.peer, row.priority}] = id;
  for (const auto& [id, row] : groups.all()) group_names_[{row.queue, row.kind, row.peer, row.name}] = id;
  // Nobody may have told that a holder ended.
  std::vector<Id> over;
  for (const auto& [id, row] : holders.all()) {
    holders.recall(id).count = 1;  // none is that of one who never was
    if (!row.ended && driver::has_process_ended(row.process)) over.push_back(id);
  }
  for (const Id id : over) holders.edit(id).ended = true;
  const auto known = [this](Id holder) -> HolderRow& {
    if (!holders.find(holder)) {
      HolderRow& made = holders.make(holder);
      made.ended = true;
      made.count = 1;
    }
    return holders.recall(holder);
  };
  for (const auto& [key, row] : claims.all()) {
    HolderRow& holder = known(row.holder);
    ++holder.claims;
    if (row.number != 0) holder.numbered[{std::get<0>(key), row.number}] = std::get<1>(key);
  }
  for (const auto& [key, row] : holds.all()) (void)known(row.holder);
}

bool Books::is_touched() const {
  bool touched = false;
  each_table(*this, [&](const auto& table) { touched = touched || table.is_touched(); });
  return touched;
}

bool Books::write() {
  if (!is_touched() && !disk_.is_dirty()) return false;
  each_table(*this, [&](auto& table) { table.write(disk_); });
  disk_.put(Family::books, kStoreKey, encode(store_));
  return true;
}

const QueueRow* Books::find_queue(const std::string& name) const {
  const auto found = queue_names_.find(name);
  return found == queue_names_.end() ? nullptr : queues.find(found->second);
}

QueueRow& Books::make_queue(const std::string& name, driver::Declaration declared) {
  QueueRow& row = queues.make(next_id());
  row.id = store_.last_id;
  row.name = name;
  row.declared = std::move(declared);
  queue_names_[name] = row.id;
  return row;
}

const StreamRow* Books::find_stream(Id queue, const std::string& kind, const std::string& peer, u64 priority) const {
  const auto found = stream_names_.find({queue, kind, peer, priority});
  return found == stream_names_.end() ? nullptr : streams.find(found->second);
}

StreamRow& Books::make_stream(Id queue, const std::string& kind, const std::string& peer, u64 priority) {
  StreamRow& row = streams.make(next_id());
  row.id = store_.last_id;
  row.queue = queue;
  row.kind = kind;
  row.peer = peer;
  row.priority = priority;
  row.dead_letters = kind == "main" && is_dead_queue(queues.at(queue).name);
  if (store_.epoch > 1) row.fork = 0;  // all that it will have is of this epoch
  stream_names_[{queue, kind, peer, priority}] = row.id;
  return row;
}

const GroupRow* Books::find_group(Id queue, const driver::GroupName& name) const {
  const auto found = group_names_.find({queue, name.kind, name.peer, name.name});
  return found == group_names_.end() ? nullptr : groups.find(found->second);
}

GroupRow& Books::make_group(Id queue, const driver::GroupName& name) {
  GroupRow& row = groups.make(next_id());
  row.id = store_.last_id;
  row.queue = queue;
  row.kind = name.kind;
  row.peer = name.peer;
  row.name = name.name;
  group_names_[{queue, name.kind, name.peer, name.name}] = row.id;
  return row;
}

void Books::erase_stream(Id id) {
  const StreamRow& row = streams.at(id);
  stream_names_.erase({row.queue, row.kind, row.peer, row.priority});
  streams.erase(id);
}

void Books::erase_group(Id id) {
  const GroupRow& row = groups.at(id);
  group_names_.erase({row.queue, row.kind, row.peer, row.name});
  each_of(claims, id, [this](const ClaimKey& key, const ClaimRow&) { erase_claim(ClaimKey(key)); });
  each_of(retries, id, [this](const RetryKey& key, const RetryRow&) { retries.erase(RetryKey(key)); });
  each_of(cursors, id, [this](const CursorKey& key, const CursorRow&) { cursors.erase(CursorKey(key)); });
  groups.erase(id);
}

ClaimRow& Books::make_claim(Id group, Id id, ClaimRow row) {
  ++holders.recall(row.holder).claims;
  return claims.make({group, id}) = std::move(row);
}

void Books::erase_claim(const ClaimKey& key) {
  if (const ClaimRow* claim = claims.find(key)) {
    HolderRow& holder = holders.recall(claim->holder);
    --holder.claims;
    holder.numbered.erase({std::get<0>(key), claim->number});
  }
  claims.erase(key);
}

std::vector<Id> Books::streams_of(Id queue) const {
  std::vector<Id> found;
  for (auto it = stream_names_.lower_bound({queue, "", "", 0});
       it != stream_names_.end() && std::get<0>(it->first) == queue; ++it)
    found.push_back(it->second);
  std::ranges::sort(found);
  return found;
}

std::vector<const StreamRow*> Books::streams_of(Id queue, const std::string& kind, const std::string& peer) const {
  std::vector<const StreamRow*> found;
  for (auto it = stream_names_.lower_bound({queue, kind, peer, 0}); it != stream_names_.end(); ++it) {
    const auto& [in, what, whose, priority] = it->first;
    if (in != queue || what != kind || whose != peer) break;
    found.insert(found.begin(), streams.find(it->second));
  }
  return found;
}

std::vector<Id> Books::groups_of(Id queue) const {
  std::vector<Id> found;
  for (auto it = group_names_.lower_bound({queue, "", "", ""});
       it != group_names_.end() && std::get<0>(it->first) == queue; ++it)
    found.push_back(it->second);
  std::ranges::sort(found);
  return found;
}

std::vector<Id> Books::groups_of(const StreamRow& stream) const {
  std::vector<Id> found;
  for (auto it = group_names_.lower_bound({stream.queue, stream.kind, stream.peer, ""}); it != group_names_.end();
       ++it) {
    const auto& [in, what, whose, name] = it->first;
    if (in != stream.queue || what != stream.kind || whose != stream.peer) break;
    found.push_back(it->second);
  }
  return found;
}

Seq Books::next_of(Id group, Id stream) const {
  const CursorRow* cursor = cursors.find({group, stream});
  return cursor ? cursor->next : 1;
}

}  // namespace vtx::rocks
