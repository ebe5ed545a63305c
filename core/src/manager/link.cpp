/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "manager/link_parts.hpp"
#include "pattern/lanes.hpp"
#include "store/held_name.hpp"
#include "store/tender.hpp"
#include "vtx/driver/options.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

namespace {
constexpr Ms kReopen{1000};  // opening a queue that failed is tried again after this
}  // namespace

Link::Link(LinkRequest request, Engine& engine, const LinkHome& home)
    : request_(std::move(request)), engine_(engine), home_(home), linger_ms_(request_.linger_ms) {
  const auto gate = [&](Ack ack) { return std::make_shared<Gate>(home.releases, ack, home.reaper, home.driver); };
  LinkParts parts = make_parts(request_, {engine, stats_, *this, home.registry}, gate);
  gate_ = std::move(parts.gate);
  receiver_ = std::move(parts.receiver);
  producer_ = std::move(parts.producer);
  peers_ = std::move(parts.peers);
}

Link::~Link() {
  engine_.reactor().timers.cancel(reopen_);
  engine_.reactor().timers.cancel(linger_);
}

int Link::state() const {
  if (closing()) return VTX_STATE_CLOSING;
  if (engine_.live()) return phase_ == Phase::open ? VTX_STATE_LIVE : VTX_STATE_CONNECTING;
  return engine_.state() == Engine::State::waiting ? VTX_STATE_WAITING : VTX_STATE_CONNECTING;
}

void Link::add_stats(vtx_stats_t& stats) const {
  stats.taken += stats_.taken;
  stats.durable += stats_.durable;
  stats.commits += stats_.commits;
  stats.delivered += stats_.delivered;
  stats.redelivered += stats_.redelivered;
  stats.settled += stats_.settled;
  stats.nacked += stats_.nacked;
  stats.returned += stats_.returned;
  stats.filtered += stats_.filtered;
  stats.expired += stats_.expired;
  stats.dead_lettered += stats_.dead_lettered;
  stats.fenced += stats_.fenced;
  stats.dropped += stats_.dropped;
  stats.trimmed += stats_.trimmed;
  stats.undeliverable += stats_.undeliverable;
  stats.refused += stats_.refused;
  stats.claims += stats_.claims;
  stats.in_hand += receiver_ ? receiver_->in_hand() : 0;
  // The least live state of all: closing and waiting say more than connecting, and that more than live.
  const auto rank = [](std::uint32_t state) { return state == VTX_STATE_LIVE ? 0U : state + 1; };
  const auto mine = static_cast<std::uint32_t>(state());
  if (stats.links++ == 0 || rank(mine) > rank(stats.state)) stats.state = mine;
}

void Link::monitor(int event, int value) {
  home_.monitors.emit(request_.socket_id, event, value, request_.endpoint.address.text);
}

void Link::on_link_event(int code, const std::string& sentence) {
  home_.monitors.emit(request_.socket_id, VTX_EVENT, code, request_.endpoint.address.text, sentence);
}

// --- opening ---------------------------------------------------------------------------------------------------------

void Link::start(std::function<void(Status)> opened) {
  opened_ = std::move(opened);
  name_ = make_name();
  engine_.add(this);
}

/// What only one link may be: a peer that has a mailbox, or a side of a pair.
std::shared_ptr<HeldName> Link::make_name() {
  const LinkOptions& options = request_.endpoint.options;
  const Pattern& pattern = *request_.pattern;
  const auto on_free = [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && self->engine_.live() && self->phase_ != Phase::done) self->open_queue();
  };
  if (pattern.mailbox == Mailbox::each) {
    return std::make_shared<HeldName>(
        engine_, options, hold_of_peer(request_.peer),
        fmt::format("the routing id '{}' is in use by another link of queue '{}'", request_.peer, options.queue),
        on_free);
  }
  if (pattern.max_links != 1) return nullptr;
  return std::make_shared<HeldName>(engine_, options, "pair:" + lanes_of(pattern, request_.bind).writes,
                                    fmt::format("another {} is the one that {} to queue '{}'", pattern.name,
                                                request_.bind ? "binds" : "connects", options.queue),
                                    on_free);
}

void Link::on_live() {
  if (phase_ == Phase::done) return;
  open_queue();
}

void Link::on_epoch(const std::string& what) {
  if (phase_ == Phase::done) return;
  on_link_event(VTX_EVENT_EPOCH, what);
  if (receiver_) receiver_->on_epoch();
}

void Link::open_queue() {
  engine_.reactor().timers.cancel(reopen_);
  const LinkOptions& options = request_.endpoint.options;
  OpenQueue open;
  open.queue = options.queue;
  open.retain = options.retain;
  open.limit = options.limit;
  open.groups = options.groups;
  open.defaults.retain = options.queue.ends_with(".dead") ? "forever" : std::string(request_.pattern->default_retain);
  open.change = request_.bind;
  open.role = role_of(*request_.pattern, request_.bind);
  open.excludes = roles_excluded_by(*request_.pattern, request_.bind);
  engine_.submit(std::move(open), [self = shared_from_this()](Completion& answer) {
    if (answer.status.ok()) {
      if (const auto retention = parse_retention(answer.declared.retain))
        self->engine_.tender().declared(self->request_.endpoint.options.queue, *retention,
                                        !answer.declared.limit.empty());
      self->queue_ = answer.id;
      self->name_ ? self->take_name(answer.id) : self->open_sides(answer.id);
    } else {
      self->opening_failed(answer.status);
    }
  });
}

/// One name, one holder: a second link of that name waits.
void Link::take_name(Id queue) {
  if (!engine_.live() || phase_ == Phase::done) return;
  name_->take(queue, [self = shared_from_this(), queue](const Status& status) {
    status.ok() ? self->open_sides(queue) : self->opening_failed(status);
  });
}

/// The receiver first: what is sent may be answered at once.
void Link::open_sides(Id queue) {
  if (!engine_.live() || phase_ == Phase::done) return;
  sides_opening_ = (producer_ ? 1 : 0) + (receiver_ ? 1 : 0);
  if (peers_) peers_->open(queue);
  if (!receiver_) return open_producer();
  receiver_->open(queue, [self = shared_from_this()](const Status& status) {
    if (status.ok() && self->producer_) self->open_producer();
    self->on_side_open(status);
  });
}

void Link::open_producer() {
  if (!engine_.live() || phase_ == Phase::done) return;
  // Who only answers has no stream of its own to write to.
  if (request_.pattern->out == Out::one) {
    producer_->open(queue_, 0, "");
    return on_side_open({});
  }
  const std::string kind = lanes_of(*request_.pattern, request_.bind).writes;
  engine_.submit(OpenStream{queue_, kind, {}, 0}, [self = shared_from_this(), kind](Completion& answer) {
    if (answer.status.ok()) self->producer_->open(self->queue_, answer.id, kind);
    self->on_side_open(answer.status);
  });
}

void Link::on_side_open(const Status& status) {
  if (!status.ok()) return opening_failed(status);
  if (--sides_opening_ > 0) return;
  if (phase_ == Phase::opening) phase_ = Phase::open;
  monitor(request_.bind ? ZMQ_EVENT_LISTENING : ZMQ_EVENT_CONNECTED);
  if (!trouble_told_.empty()) {
    on_link_event(VTX_EVENT_RECOVERED, "the link goes on");
    trouble_told_.clear();
  }
  if (opened_) std::exchange(opened_, nullptr)({});
}

void Link::opening_failed(const Status& status) {
  if (status.code() == Code::lost || status.code() == Code::in_doubt || phase_ == Phase::done)
    return;  // on_live comes again
  if (opened_ && !is_passing(status.code())) {
    on_link_event(VTX_EVENT_FAILED, status.text());
    return std::exchange(opened_, nullptr)(status);
  }
  if (std::exchange(trouble_told_, status.text()) != status.text()) on_link_event(VTX_EVENT_TROUBLE, status.text());
  engine_.reactor().timers.cancel(reopen_);
  reopen_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + kReopen, [this] {
    reopen_ = 0;
    if (engine_.live()) open_queue();
  });
}

void Link::on_lost(const Status& why, std::optional<Ms> retry) {
  if (producer_) producer_->on_lost();
  if (receiver_) receiver_->on_lost();
  if (peers_) peers_->on_lost();
  engine_.reactor().timers.cancel(reopen_);
  if (phase_ == Phase::open && trouble_told_.empty()) monitor(ZMQ_EVENT_DISCONNECTED);
  // A server tells only later what a file tells at once.
  if (opened_ && !is_passing(why.code())) {
    on_link_event(VTX_EVENT_FAILED, why.text());
    return std::exchange(opened_, nullptr)(why);
  }
  if (phase_ == Phase::opening) monitor(ZMQ_EVENT_CONNECT_DELAYED);
  if (std::exchange(trouble_told_, why.text()) != why.text()) {
    on_link_event(retry ? VTX_EVENT_TROUBLE : VTX_EVENT_FAILED, why.text());
  }
  if (retry) monitor(ZMQ_EVENT_CONNECT_RETRIED, static_cast<int>(retry->count()));
}

void Link::on_taken_over(Id holder, u64 claims) {
  if (!receiver_ || closing()) return;
  on_link_event(VTX_EVENT_TAKEN_OVER,
                fmt::format("{} claims of consumer {}, which died or fell silent, were taken over", claims, holder));
}

void Link::attach(std::unique_ptr<Pipe> pipe) {
  pipe_ = std::move(pipe);
  joined_ = true;
  if (peers_) peers_->attach(dynamic_cast<RouterPipes&>(*pipe_));
  look_ = true;
  opened_ = nullptr;  // the caller returns: what fails from now on is an event, and the link waits
}

void Link::when_reachable(std::function<void()> reachable) {
  peers_ ? peers_->when_complete(std::move(reachable)) : reachable();
}

// --- what the application asks ----------------------------------------------------------------------------------------

bool Link::decide(std::string_view delivery_id, Outcome outcome, std::uint32_t delay_ms) {
  std::array<u64, 3> numbers{};  // link, claim, sequence
  const char* at = delivery_id.data();
  const char* const end = at + delivery_id.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '-')) return false;
    const auto read = std::from_chars(at, end, numbers[i]);
    if (read.ec != std::errc()) return false;
    at = read.ptr;
  }
  if (at != end || numbers[0] != request_.id || !receiver_) return false;
  decide_releases();  // in the order in which the application let go
  return receiver_->decide(numbers[1], numbers[2], outcome, delay_ms);
}

void Link::flush(std::shared_ptr<Call<Status>> call) {
  flushes_.push_back({std::move(call), 0, false});
  if (!producer_) flushes_.back().known = true;
  pipe_empty_ = false;
  look_ = true;
}

void Link::cancel_flush(const std::shared_ptr<Call<Status>>& call) {
  // A caller that does not wait gives up in the same breath as it asks: the pipe has not been looked at yet.
  if (pipe_ && pipe_->arrived() && producer_) (void)take();
  answer_flushes();
  if (std::erase_if(flushes_, [&](const Flush& flush) { return flush.call == call; }) == 0) return;
  const Status& trouble = producer_->trouble().ok() ? engine_.trouble() : producer_->trouble();
  call->answer(trouble.ok()
                   ? Status(Code::busy, "not all that was sent is durable yet; nothing is lost, flush again")
                   : Status(trouble.code(), "not all that was sent is durable: " + trouble.text(), trouble.native()));
}

void Link::answer_flushes() {
  if (flushes_.empty()) return;
  const std::uint64_t done = producer_ ? producer_->done() : 0;
  std::erase_if(flushes_, [&](Flush& flush) {
    if (!flush.known && pipe_empty_) {
      flush.known = true;
      flush.target = producer_->taken();
    }
    if (flush.known && done >= flush.target) {
      flush.call->answer(producer_ ? producer_->take_refusal() : Status());
      return true;
    }
    const Status& trouble = producer_->trouble();
    if (trouble.ok() || is_passing(trouble.code())) return false;
    flush.call->answer(trouble);
    return true;
  });
}

}  // namespace vtx
