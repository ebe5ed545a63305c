/* SPDX-License-Identifier: MPL-2.0 */
//
// Who waits, and who is told: groups that had nothing to claim, streams that were read to their end. A commit of VTX rings the doorbells of
// those armed in the side file; a commit by plain SQL is looked for.
#include <sys/epoll.h>
#include <sys/stat.h>

#include <algorithm>

#include "fence.hpp"
#include "store.hpp"

namespace vtx::sqlite {

void SqliteStore::listen(int fd, bool on) {
  if (fd < 0) return;
  epoll_event event{};
  event.events = on ? EPOLLIN : 0U;
  event.data.fd = fd;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0) epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void SqliteStore::listen_to_watch() {
  const bool on = !waiting_.empty() && watch_.is_listening();
  if (on != listening_) listen(watch_.fd(), on);
  listening_ = on;
}

void SqliteStore::notice_events() {
  if (bell_ && bell_->heard()) on_rung();
  if (state_ == State::live) look_for_commits(clock_.now());
}

/// Commits that rang no doorbell: of applications that send by SQL; and, slowly, what a woken consumer did not fetch. A short read, without the lock.
void SqliteStore::look_for_commits(driver::Steady now) {
  bool safety = false;
  const bool due = watch_.is_due(now, safety);
  if (due) look(now, safety);
  if (state_ == State::live) listen_to_watch();
}

/// The file is still the one behind the path: what is committed to one that was replaced would be lost.
Status SqliteStore::check_place() {
  struct stat file {};
  if (stat(path_.c_str(), &file) == 0 && file.st_ino == inode_) return {};
  return {Code::lost, path_ + " was replaced; VTX opens it again"};
}

void SqliteStore::look(driver::Steady now, bool safety) {
  if (safety && !side_->file().is_current())
    return end_session({Code::lost, path_ + "-vtx was replaced; VTX opens it again"});
  if (safety)
    if (auto status = check_place(); !status.ok()) return end_session(std::move(status));
  try {
    // Who only waits, or not even that, hears of a new epoch too.
    if (safety && database_.data_version() != epoch_seen_)
      if (auto status = check_epoch(); !status.ok()) return end_session(std::move(status));
  } catch (const SqliteError&) {
    return;  // busy, or worse; the next look or the next transaction will tell
  }
  if (waiting_.empty()) return;
  // Somebody took us off the list and did not live to ring.
  if (safety && !side_->is_armed(slot_)) return tell_changed();
  try {
    const auto version = database_.data_version();
    if (version == (safety ? checked_version_ : change_seen_)) return;
    const auto commits = side_->commits();
    const bool rung = commits != commits_seen_;
    commits_seen_ = commits;
    change_seen_ = version;
    // VTX's writers have rung whom they had to; else every waiter would run for every message. A foreign commit hidden
    // behind one of theirs is found by the slow look.
    if (rung && !safety) return watch_.mute(now);
    checked_version_ = version;
    if (auto status = check_epoch(); !status.ok()) return end_session(std::move(status));
    tell_who_is_over(true);
  } catch (const SqliteError&) {
    // Busy, or worse; the next look or the next transaction will tell.
  }
}

/// Somebody took us off the list, and rang: that does not say for what, but what VTX changed is noted.
void SqliteStore::on_rung() {
  try {
    tell_who_is_over(false);
  } catch (const SqliteError&) {
    tell_changed();
  }
}

/// Armed anew before it looks, and looked once more after that: who commits in between has not rung, but is seen.
/// @param all  what changed need not have been noted
void SqliteStore::tell_who_is_over(bool all) {
  std::vector<Key> over;
  do {
    side_->arm_only(slot_, waiting_keys());
    full_fence();
    ledger_.begin(clock_.wall());
    over.clear();
    for (const auto& [key, waiter] : waiting_)
      if ((all || side_->changes(key) != waiter.changes) && is_over(key, waiter)) over.push_back(key);
    tell_changed(over);
  } while (!over.empty());
}

/// Whether somebody who waits need not wait any longer, or must learn of an earlier time: a delayed retry rings nobody, and who made it
/// may be gone when it is due.
bool SqliteStore::is_over(Key key, const Waiter& waiter) {
  const Id id = id_of(key);
  if (is_of_peers(key)) return ledger_.has_joined(id, waiter.head);
  if (is_of_room(key)) return ledger_.has_room(id);
  if (is_of_stream(key))
    return ledger_.has_changed(id, waiter.head) || ledger_.first_due(id).value_or(kNever) < waiter.due;
  return ledger_.is_claimable(id) || ledger_.next_due(id).value_or(kNever) < waiter.due;
}

/// With the lock held, so that no VTX writer can commit between the vain claim or reading and this; without it see run_readers().
void SqliteStore::wait_for(Key key, const Completion& answer) {
  // What the others wait for may have come by plain SQL since they were told to wait.
  if (waiting_.empty()) change_seen_ = checked_version_ = database_.data_version();
  // Of several readers who saw least.
  Waiter& waiter = waiting_.try_emplace(key, Waiter{answer.head, side_->changes(key)}).first->second;
  waiter.due = answer.due_in ? ledger_.time_in(*answer.due_in) : kNever;
  commits_seen_ = side_->commits();
  side_->arm(slot_, key);
  listen_to_watch();
}

std::vector<Key> SqliteStore::waiting_keys() const {
  std::vector<Key> keys;
  for (const auto& [key, waiter] : waiting_) keys.push_back(key);
  return keys;
}

/// Less than before. With the lock. To be rung in vain now and then is cheaper than to tell the slot of thousands each time.
void SqliteStore::arm_for_the_rest() {
  if (waiting_.size() <= SideFile::kKeys) side_->arm_only(slot_, waiting_keys());
}

void SqliteStore::apply(const driver::StopWaiting& stop, Completion&) {
  if (waiting_.erase(key_of_group(stop.group)) > 0) arm_for_the_rest();
  // We may have been the one who was told.
  if (ledger_.is_claimable(stop.group)) next_in_line_.push_back(stop.group);
}

void SqliteStore::tell_changed() {
  waiting_.clear();
  if (side_) side_->arm_only(slot_, {});
  Completion changed;
  changed.event = driver::Event::changed;
  done_.push_back(std::move(changed));
}

void SqliteStore::tell_changed(const std::vector<Key>& keys) {
  if (keys.empty()) return;
  Completion changed;
  changed.event = driver::Event::changed;
  for (const Key key : keys) {
    waiting_.erase(key);
    auto& concerned = is_of_stream(key)  ? changed.streams
                      : is_of_room(key)  ? changed.roomy
                      : is_of_peers(key) ? changed.joined
                                         : changed.groups;
    concerned.push_back(id_of(key));
  }
  done_.push_back(std::move(changed));
}

/// What this transaction has for everybody who waits for it: readers take nothing away, the time of a delayed message concerns all, and
/// who finds no room waits again. Readers are looked for after COMMIT, when one who is armed too late can see it; the others arm with the lock.
std::vector<Key> SqliteStore::keys_of_all() {
  std::vector<Key> keys;
  for (const Id stream : ledger_.appended()) keys.push_back(key_of_stream(stream));
  for (const Id queue : ledger_.joined()) keys.push_back(key_of_peers(queue));
  for (const Id stream : ledger_.sooner()) keys.push_back(key_of_stream(stream));
  if (!ledger_.has_awakened() || (waiting_.empty() && !side_->is_anyone_waiting())) return keys;
  for (const Id group : ledger_.hastened()) keys.push_back(key_of_group(group));
  for (const Id stream : ledger_.freed()) keys.push_back(key_of_room(stream));
  return keys;
}

/// For each group wakes one who waits, since a message is for one: this store itself if it does, which is cheapest; and `all` others.
void SqliteStore::ring(const std::vector<Id>& groups, const std::vector<Key>& all) {
  for (const Id group : groups) side_->note_change(key_of_group(group));
  for (const Key key : all) side_->note_change(key);
  full_fence();  // committed and noted before it looks who is armed
  std::vector<Key> own;
  for (const Id group : groups) {
    const Key key = key_of_group(group);
    if (waiting_.contains(key)) {
      own.push_back(key);
    } else {
      ring_one(key);
    }
  }
  const bool others = !all.empty() && side_->is_anyone_waiting();
  for (const Key key : all) {
    if (waiting_.contains(key)) own.push_back(key);
    if (!others) continue;
    for (const u64 address : side_->all_listeners(key, slot_)) bell_->ring(address);
  }
  tell_changed(own);
  if (!own.empty()) arm_for_the_rest();
}

/// Who waits for more than its slot can name may be waiting for something else: then all of these are asked.
void SqliteStore::ring_one(Key key) {
  for (u64 address = side_->next_listener(key, slot_); address != 0; address = side_->next_listener(key, slot_))
    if (bell_->ring(address)) return;
  for (const u64 address : side_->likely_listeners(key, slot_)) bell_->ring(address);
}

}  // namespace vtx::sqlite
