/* SPDX-License-Identifier: MPL-2.0 */
//
// Who found nothing waits: the server is told what for, and tells when it has come. Behind a pooler, which passes no notifications on, it is asked again and again.
#include <algorithm>
#include <utility>

#include "store.hpp"

namespace vtx::postgres {
namespace {

constexpr driver::Ms kShortLook{10}, kRoomLook{30}, kLongLook{250}, kSlowLook{1000}, kIdleLook{4000}, kArmAgain{2};
constexpr std::size_t kLooksAtOnce = 500;

std::vector<driver::Id>& list_of(driver::Completion& changed, char kind) {
  if (kind == 's') return changed.streams;
  if (kind == 'r') return changed.roomy;
  return kind == 'j' ? changed.joined : changed.groups;
}

void add_ids(Parameters& to, const std::vector<Key>& keys, char kind) {
  to.begin_array(kInt4);
  for (const Key key : keys)
    if (key.kind == kind) to.element(key.id);
  to.end_array();
}

template <class Of>
void add_seen(Parameters& to, const std::vector<Key>& keys, char kind, Of of) {
  to.begin_array(kInt8);
  for (const Key key : keys)
    if (key.kind == kind) to.element(of(key));
  to.end_array();
}

/// What has_come() takes.
void add_waits(Parameters& to, const std::vector<Key>& keys, const Waits& waits) {
  const auto newest = [&](Key key) { return waits.waiting().at(key).newest; };
  const auto due = [&](Key key) { return waits.waiting().at(key).due; };
  add_ids(to, keys, 'g');
  add_seen(to, keys, 'g', due);
  add_ids(to, keys, 's');
  add_seen(to, keys, 's', newest);
  add_seen(to, keys, 's', due);
  add_ids(to, keys, 'r');
  add_ids(to, keys, 'j');
  add_seen(to, keys, 'j', newest);
}

/// Four lists, from this column on.
std::vector<Key> keys_from(const Result& result, int column) {
  std::vector<Key> keys;
  for (const char kind : {'g', 's', 'r', 'j'})
    for (const auto id : result.integers(0, column++)) keys.push_back({kind, static_cast<std::int32_t>(id)});
  return keys;
}

/// A sender that is held up is in more of a hurry than a receiver that has nothing to do.
driver::Ms longest_look(const Waits& waits) {
  const auto is_room = [](const auto& wait) { return wait.first.kind == 'r'; };
  return std::any_of(waits.waiting().begin(), waits.waiting().end(), is_room) ? kRoomLook : kLongLook;
}

}  // namespace

void PostgresStore::wait_for(Key key, const Seen& seen) {
  waits_.add(key, seen);
  look_each_ = info_.pooler ? kShortLook : kSlowLook;
  look_at_ = std::min(look_at_, clock_.now() + look_each_);
}

void PostgresStore::tell(const std::vector<Key>& keys) {
  driver::Completion changed;
  changed.event = driver::Event::changed;
  for (const Key key : keys)
    if (waits_.remove(key)) list_of(changed, key.kind).push_back(static_cast<driver::Id>(key.id));
  if (changed.groups.empty() && changed.streams.empty() && changed.roomy.empty() && changed.joined.empty()) return;
  done_.push_back(std::move(changed));
}

void PostgresStore::on_notification(const Notification& notification) {
  if (state_ != State::live) return;
  std::vector<std::int32_t> sent;
  auto keys = parse_words(notification.payload, sent);
  if (!keys) {
    keys.emplace();
    for (const auto& [key, seen] : waits_.waiting()) keys->push_back(key);
  }
  for (const auto queue : sent) {
    Request request = call(info_.schema, life_, "fetch_sent", 1);
    request.parameters.add(queue);
    send(work_, {Errand::fetch_sent, 0, {}, false}, std::move(request));
  }
  // Nobody here waits for it any more: then nobody need tell.
  std::vector<Key> idle;
  for (const Key key : *keys)
    if (waits_.armed(key) && !waits_.waiting().contains(key)) idle.push_back(key);
  tell(*keys);
  if (idle.empty()) return;
  Request request;
  request.statement = "SELECT \"" + info_.schema + "\".disarm($1,$2,$3,$4)";
  for (const char kind : {'g', 's', 'r', 'j'}) add_ids(request.parameters, idle, kind);
  for (const Key key : idle) waits_.disarm(key);
  send(side_, {Errand::disarm, 0, {}, false}, std::move(request));
}

/// What came before the server has taken note would not be noticed: so it looks once more itself. Who only sends listens to nothing: each notification costs every listener a wake-up.
void PostgresStore::arm_waits() {
  if (info_.pooler || arming_ || clock_.now() < arm_at_) return;
  const auto keys = waits_.unarmed();
  if (keys.empty()) return;
  if (!std::exchange(listening_, true)) {
    Request listen;
    listen.statement = "LISTEN \"vtx." + info_.schema + "\"";
    send(side_, {Errand::listen, 0, {}, false}, std::move(listen));
  }
  Request request;
  request.statement = "SELECT * FROM \"" + info_.schema + "\".arm($1,$2,$3,$4,$5,$6,$7,$8)";
  add_waits(request.parameters, keys, waits_);
  for (const Key key : keys) waits_.asked(key);
  arming_ = true;
  send(side_, {Errand::arm, 0, {}, false}, std::move(request));
}

void PostgresStore::on_armed(const Result& result) {
  arming_ = false;
  waits_.answered(keys_from(result, 0));
  // Somebody who changes something has the others just now.
  arm_each_ = waits_.unarmed().empty() ? kArmAgain : std::min(arm_each_ * 2, kLongLook);
  arm_at_ = waits_.unarmed().empty() ? driver::Steady() : clock_.now() + arm_each_;
  tell(keys_from(result, 4));
}

void PostgresStore::look_if_due() {
  if (looking_ || clock_.now() < look_at_) return;
  std::vector<Key> keys;
  // With notifications only what was sent from SQL without one is to be looked for. Without them all, some in turn.
  const auto& all = waits_.waiting();
  auto at = all.upper_bound(looked_to_);
  for (auto left = info_.pooler ? std::min(all.size(), kLooksAtOnce) : 0; left > 0; --left, ++at) {
    if (at == all.end()) at = all.begin();
    keys.push_back(at->first);
  }
  if (!keys.empty()) looked_to_ = keys.back();
  Request request = call(info_.schema, life_, "look_for", 8);
  add_waits(request.parameters, keys, waits_);
  looking_ = true;
  send(side_, {Errand::look_for, 0, {}, false}, std::move(request));
}

void PostgresStore::on_looked(const Result& result) {
  looking_ = false;
  // Who waits for nothing is to hear, too, that the store went back in time.
  look_each_ = waits_.empty() ? kIdleLook
               : info_.pooler ? std::min(longest_look(waits_), look_each_ * 3 / 2)
                              : kSlowLook;
  look_at_ = clock_.now() + look_each_;
  tell(keys_from(result, 1));
  for (const auto queue : result.integers(0, 5)) {
    Request request = call(info_.schema, life_, "fetch_sent", 1);
    request.parameters.add(static_cast<std::int32_t>(queue));
    send(work_, {Errand::fetch_sent, 0, {}, false}, std::move(request));
  }
}

}  // namespace vtx::postgres
