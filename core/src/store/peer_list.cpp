/* SPDX-License-Identifier: MPL-2.0 */
#include "store/peer_list.hpp"

#include <algorithm>
#include <utility>

namespace vtx {

using namespace driver;

namespace {
constexpr Ms kAfterTrouble{250};
constexpr Ms kLookEvery{30'000};  // for anonymous peers that have gone: nobody tells of them
constexpr Ms kLookSoon{1000};     // after a message found no mailbox
}  // namespace

PeerList::PeerList(Engine& engine, std::string queue, Calls calls)
    : engine_(engine), name_(std::move(queue)), calls_(std::move(calls)) {}

PeerList::~PeerList() { close(); }

void PeerList::close() {
  if (std::exchange(closed_, true)) return;
  engine_.reactor().timers.cancel(look_);
  engine_.reactor().timers.cancel(again_);
  engine_.remove(this);
}

void PeerList::open(Id queue) {
  if (closed_) return;
  if (queue_ == 0) {
    engine_.remove(this);
    engine_.add(this);
  }
  queue_ = queue;
  after_ = 0;  // it may be another database than before
  ++session_;
  asking_ = looking_ = false;
  ask();
}

void PeerList::on_changed() {
  changed_ = true;
  ask();
}

void PeerList::ask() {
  if (asking_ || closed_ || queue_ == 0 || !engine_.live()) return;
  asking_ = true;
  changed_ = false;
  engine_.submit(ListPeers{queue_, after_, false, true},
                 [self = shared_from_this(), session = session_](Completion& answer) {
                   if (self->session_ == session) self->on_answer(answer);
                 });
}

void PeerList::on_answer(Completion& answer) {
  asking_ = false;
  if (closed_ || answer.status.code() == Code::lost) return;
  if (!answer.status.ok()) {
    engine_.reactor().timers.cancel(again_);
    again_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + kAfterTrouble, [this] {
      again_ = 0;
      ask();
    });
    return;
  }
  for (const Peer& peer : answer.peers) {
    after_ = std::max(after_, peer.id);
    if (is_anonymous(peer.name)) anonymous_.insert(peer.name);
    calls_.on_peer(peer.name);
  }
  if (answer.peers.empty()) {
    after_ = std::max(after_, answer.head);
    calls_.on_complete();
  }
  if (!anonymous_.empty()) plan_look(kLookEvery);
  if (!answer.peers.empty() || changed_) ask();
}

void PeerList::heard_of(const std::string& peer) {
  anonymous_.insert(peer);
  plan_look(kLookEvery);
}

void PeerList::look_for_gone() { plan_look(kLookSoon); }

void PeerList::plan_look(Ms within) {
  const Steady due = engine_.reactor().clock.now() + within;
  if (closed_ || (look_ != 0 && look_due_ <= due)) return;
  engine_.reactor().timers.cancel(look_);
  look_due_ = due;
  look_ = engine_.reactor().timers.at(due, [this] {
    look_ = 0;
    if (anonymous_.empty()) return;
    plan_look(kLookEvery);
    if (looking_ || queue_ == 0 || !engine_.live()) return;
    looking_ = true;
    suspects_ = anonymous_;
    ask_anonymous(0);
  });
}

void PeerList::ask_anonymous(Id after) {
  engine_.submit(ListPeers{queue_, after, true, false},
                 [self = shared_from_this(), session = session_](Completion& answer) {
                   if (self->session_ == session) self->on_anonymous(answer);
                 });
}

void PeerList::on_anonymous(Completion& answer) {
  if (closed_) return;
  if (!answer.status.ok()) {
    looking_ = false;
    return;
  }
  for (const Peer& peer : answer.peers) suspects_.erase(peer.name);
  if (answer.more) return ask_anonymous(answer.peers.back().id);
  looking_ = false;
  for (const std::string& peer : std::exchange(suspects_, {})) {
    anonymous_.erase(peer);
    calls_.on_gone(peer);
  }
}

}  // namespace vtx
