/* SPDX-License-Identifier: MPL-2.0 */
#include "store/router.hpp"

#include <fmt/format.h>

#include "pattern/request.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

namespace {
constexpr std::size_t kMostBytes = 64U << 20;  // of a link, waiting for the store
constexpr std::size_t kOfEach = 256;           // what a message takes besides its body
}  // namespace

Router::Router(Engine& engine, const LinkOptions& options, LinkStats& stats, LinkEvents& events,
               std::shared_ptr<Routes> routes, const std::string& self, Limits limits)
    : Producer(engine, options, stats, events), routes_(std::move(routes)), limits_(limits) {
  add_property(sender_, kReplyTo, self);
}

bool Router::seal(std::span<const Frame>, Item& item) {
  Routes::Route* route = routes_->find(item.peer);
  if (route == nullptr) return false;  // gone since the application named it
  std::string properties = sender_;
  if (!route->tag.empty()) add_property(properties, kRequestId, route->tag);
  item.peer = route->peer;
  Routes::on_answered(*route);
  if (is_too_much(item.peer, item)) return false;
  item.properties.kept.insert(0, properties);
  ++waiting_[item.peer];
  waiting_bytes_ += item.bytes + kOfEach;
  return true;
}

/// As libzmq would: at a peer's mark the newest are dropped.
bool Router::is_too_much(const std::string& peer, const Item& item) {
  if (limits_.blocks) return false;
  const auto found = waiting_.find(peer);
  const std::size_t messages = found == waiting_.end() ? 0 : found->second;
  const bool too_many = limits_.messages > 0 && messages >= limits_.messages;
  // While the store takes them, what waits is on its way: a moment's burst is not cut off at the mark.
  const bool away = !is_open() || !trouble().ok();
  // One alone may be of any size, as everywhere.
  const bool too_large = waiting_bytes_ > 0 && waiting_bytes_ + item.bytes + kOfEach > kMostBytes;
  if (!too_large && !(too_many && away)) return false;
  if (!std::exchange(dropping_, true)) {
    events().on_link_event(VTX_EVENT_REFUSED,
                           fmt::format("the store takes nothing and {} wait for it: messages to '{}' and others are "
                                       "dropped until it does (full=block would hold up the sender)",
                                       too_large ? "64 MiB" : "as many messages as ZMQ_SNDHWM allows a peer", peer));
  }
  return true;
}

void Router::address(Items items, std::vector<Message> messages, Commit& commit) const {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const int priority = items[i].properties.priority;
    if (i == 0 || items[i].peer != items[i - 1].peer || priority != items[i - 1].properties.priority) {
      Append append;
      append.queue = queue();
      append.peer = items[i].peer;
      append.priority = priority;
      commit.appends.push_back(std::move(append));
    }
    commit.appends.back().messages.push_back(messages[i]);
  }
}

void Router::wake(Items items) const {
  for (const Item& item : items) engine().on_changed(queue_name(), "mailbox:" + item.peer);
}

void Router::on_stored(Items items, const Completion& answer) {
  dropping_ = false;
  for (const Item& item : items) on_over(item);
  if (answer.count > 0 && gone_) gone_();
}

void Router::on_given_up(const Item& item, const std::string&) { on_over(item); }

void Router::on_over(const Item& item) {
  waiting_bytes_ -= item.bytes + kOfEach;
  const auto found = waiting_.find(item.peer);
  if (found != waiting_.end() && --found->second == 0) waiting_.erase(found);
}

}  // namespace vtx
