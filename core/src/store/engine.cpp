/* SPDX-License-Identifier: MPL-2.0 */
#include "store/engine.hpp"

#include <algorithm>

#include "store/feed.hpp"
#include "store/holder.hpp"
#include "store/peer_list.hpp"
#include "store/producer.hpp"
#include "store/reader.hpp"
#include "store/tender.hpp"

namespace vtx {

using driver::Completion;

namespace {

std::string stream_of(const driver::GroupName& group) {
  return group.peer.empty() ? group.kind : group.kind + ':' + group.peer;
}

/// What the keys of a queue's feeds, or of one stream's, begin with. No name has a slash.
std::string prefix_of(const std::string& queue) { return queue + '/'; }
std::string prefix_of(const std::string& queue, const std::string& stream) { return prefix_of(queue) + stream + '/'; }

}  // namespace

Engine::Engine(std::unique_ptr<driver::Store> store, driver::Endpoint endpoint, bool create, Backoff backoff,
               Reactor reactor)
    : store_(std::move(store)),
      endpoint_(std::move(endpoint)),
      create_(create),
      backoff_(std::move(backoff)),
      reactor_(reactor),
      holder_(std::make_unique<Holder>(*this)),
      tender_(std::make_unique<Tender>(*this)) {}

Engine::~Engine() { reactor_.timers.cancel(retry_); }

Status Engine::start() {
  state_ = State::connecting;
  Status status = store_->start(endpoint_, create_);
  if (!status.ok()) {
    state_ = State::failed;
    trouble_ = status;
  }
  return status;
}

void Engine::stop() {
  reactor_.timers.cancel(retry_);
  holder_->stop();
  tender_->stop();
  if (state_ == State::live || state_ == State::connecting) store_->stop();
  state_ = State::failed;
}

void Engine::add(Member* member) {
  members_.push_back(member);
  if (live()) member->on_live();
}

void Engine::remove(Member* member) { std::erase(members_, member); }

std::shared_ptr<Feed> Engine::feed(const std::string& queue, const driver::GroupName& group) {
  std::weak_ptr<Feed>& known = feeds_[prefix_of(queue, stream_of(group)) + group.name];
  std::shared_ptr<Feed> feed = known.lock();
  if (!feed) known = feed = std::make_shared<Feed>(*this);
  return feed;
}

void Engine::submit(driver::Operation operation, Answer answer) {
  const driver::u64 ticket = ++last_ticket_;
  pending_.emplace(ticket, std::move(answer));
  store_->submit(ticket, std::move(operation));
}

bool Engine::run() {
  if (live()) {
    std::erase_if(feeds_, [](const auto& entry) { return entry.second.expired(); });
    for (const auto& [name, feed] : feeds_) feed.lock()->claim();
  }
  completions_.clear();
  store_->poll(completions_);
  if (completions_.empty()) return false;
  // An answer may make its receiver submit, or end the session, but never poll: the list stays ours.
  for (Completion& completion : completions_) {
    if (completion.event != driver::Event::answer) {
      on_event(completion);
      continue;
    }
    const auto found = pending_.find(completion.ticket);
    if (found == pending_.end()) continue;
    const Answer answer = std::move(found->second);
    pending_.erase(found);
    answer(completion);
  }
  return true;
}

void Engine::on_event(Completion& completion) {
  switch (completion.event) {
    case driver::Event::opened: on_opened(completion); break;
    case driver::Event::lost: on_lost(completion.status); break;
    case driver::Event::changed:
      tender_->changed(completion.changed);
      on_news(completion);
      break;
    case driver::Event::answer: break;
  }
}

void Engine::on_opened(Completion& completion) {
  state_ = State::live;
  trouble_ = {};
  backoff_.reset();
  create_ = true;  // a database that was there may be made again
  const std::string before = std::exchange(epoch_, completion.epoch);
  const auto members = members_;
  if (completion.went_back || (!before.empty() && before != epoch_)) {
    // Links to other queues of it hear of it as well: each names its own endpoint.
    const std::string what = std::string(completion.went_back ? "the store went back in time"
                                                              : "the store went back in time, or is another one now") +
                             ", as by a restored backup: its new epoch is " + epoch_;
    for (Member* member : members) member->on_epoch(what);
  }
  holder_->on_live();
  for (Member* member : members) member->on_live();
}

void Engine::on_changed(const std::string& queue) {
  tell_feeds(queue.empty() ? "" : prefix_of(queue));
  for (Reader* reader : readers_) {
    if (queue.empty() || reader->queue() == queue) reader->on_changed();
  }
  for (Producer* producer : producers_) {
    if (queue.empty() || producer->queue_name() == queue) producer->on_room();
  }
  on_joined(queue);
}

void Engine::on_joined(const std::string& queue) {
  for (PeerList* list : peer_lists_)
    if (queue.empty() || list->queue_name() == queue) list->on_changed();
}

void Engine::on_changed(const std::string& queue, const std::string& stream) {
  tell_feeds(prefix_of(queue, stream));
  for (Reader* reader : readers_) {
    if (reader->queue() == queue && reader->stream_name() == stream) reader->on_changed();
  }
}

/// The store may say more closely than by queue who is concerned.
void Engine::on_news(const Completion& completion) {
  if (completion.groups.empty() && completion.streams.empty() && completion.roomy.empty() && completion.joined.empty())
    return on_changed(completion.changed);
  const auto has = [](const std::vector<driver::Id>& ids, driver::Id id) {
    return std::ranges::find(ids, id) != ids.end();
  };
  for (const auto& [name, known] : feeds_)
    if (const auto feed = known.lock(); feed && has(completion.groups, feed->group())) feed->on_changed();
  for (Reader* reader : readers_)
    if (has(completion.streams, reader->stream())) reader->on_changed();
  for (Producer* producer : producers_)
    if (has(completion.roomy, producer->stream())) producer->on_room();
  for (PeerList* list : peer_lists_)
    if (has(completion.joined, list->queue())) list->on_changed();
}

void Engine::tell_feeds(const std::string& prefix) {
  for (auto at = feeds_.lower_bound(prefix); at != feeds_.end() && at->first.starts_with(prefix); ++at)
    if (const auto feed = at->second.lock()) feed->on_changed();
}

void Engine::on_taken_over(driver::Id holder, driver::u64 claims) {
  on_changed({});
  const auto members = members_;
  for (Member* member : members) member->on_taken_over(holder, claims);
}

void Engine::on_lost(const Status& why) {
  if (state_ == State::failed) return;
  state_ = State::waiting;
  trouble_ = why.ok() ? Status(Code::lost, "the session with " + endpoint_.text + " ended") : why;
  holder_->on_lost();
  const auto wait = backoff_.next();
  if (wait) retry_ = reactor_.timers.at(reactor_.clock.now() + *wait, [this] { connect(); });
  const auto members = members_;
  for (Member* member : members) member->on_lost(trouble_, wait);
}

void Engine::revive() {
  if (state_ == State::waiting && retry_ == 0) connect();
}

void Engine::connect() {
  retry_ = 0;
  state_ = State::connecting;
  const Status status = store_->start(endpoint_, create_);
  // What fails for good at the first attempt may be cured by hand later on: a link that once stood goes on trying.
  if (!status.ok()) on_lost(status);
}

}  // namespace vtx
