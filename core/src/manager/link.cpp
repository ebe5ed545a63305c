/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <new>

#include "bridge/reaper.hpp"
#include "codec/properties.hpp"
#include "manager/link_parts.hpp"
#include "pattern/lanes.hpp"
#include "store/holder.hpp"
#include "store/tender.hpp"
#include "vtx/driver/frames.hpp"
#include "vtx/driver/names.hpp"
#include "vtx/driver/options.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

namespace {
constexpr Ms kReopen{1000};  // opening a queue that failed is tried again after this
constexpr int kDeliverAtOnce = 1024;
}  // namespace

Link::Link(LinkRequest request, Engine& engine, const LinkHome& home)
    : request_(std::move(request)), engine_(engine), home_(home), linger_ms_(request_.linger_ms) {
  const auto gate = [&](Ack ack) { return std::make_shared<Gate>(home.releases, ack, home.reaper, home.driver); };
  LinkParts parts = make_parts(request_, {engine, stats_, *this, home.registry}, gate);
  gate_ = std::move(parts.gate);
  receiver_ = std::move(parts.receiver);
  producer_ = std::move(parts.producer);
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
  engine_.add(this);
}

void Link::on_live() {
  if (phase_ == Phase::done) return;
  open_queue();
}

void Link::open_queue() {
  engine_.reactor().timers.cancel(reopen_);
  const LinkOptions& options = request_.endpoint.options;
  OpenQueue open;
  open.queue = options.queue;
  open.retain = options.retain;
  open.defaults.retain = options.queue.ends_with(".dead") ? "forever" : std::string(request_.pattern->default_retain);
  open.change = request_.bind;
  engine_.submit(std::move(open), [self = shared_from_this()](Completion& answer) {
    if (answer.status.ok()) {
      if (const auto retention = parse_retention(answer.declared.retain))
        self->engine_.tender().declared(self->request_.endpoint.options.queue, *retention);
      self->queue_ = answer.id;
      self->request_.peer.empty() ? self->open_sides(answer.id) : self->take_name(answer.id);
    } else {
      self->opening_failed(answer.status);
    }
  });
}

/// One name, one holder: a second link of that name waits.
void Link::take_name(Id queue) {
  if (!engine_.live() || phase_ == Phase::done) return;
  const std::string& in = request_.endpoint.options.queue;
  const Status taken(Code::busy,
                     fmt::format("the routing id '{}' is in use by another link of queue '{}'", request_.peer, in));
  if (!engine_.take_name(in, request_.peer, this)) return opening_failed(taken);
  Holder& holder = engine_.holder();
  if (!std::exchange(joined_, true)) holder.join(request_.endpoint.options.lease);
  holder.when_ready([self = shared_from_this(), queue, taken] {
    if (self->phase_ == Phase::done || self->closing()) return;
    const Id id = self->engine_.holder().id();
    Hold hold{queue, hold_of_peer(self->request_.peer), id, false};
    self->engine_.submit(std::move(hold), [self, queue, id, taken](Completion& answer) {
      if (answer.status.ok()) {
        self->named_ = id;
        self->open_sides(queue);
      } else {
        self->opening_failed(answer.status.code() == Code::busy ? taken : answer.status);
      }
    });
  });
}

/// The receiver first: what is sent may be answered at once.
void Link::open_sides(Id queue) {
  if (!engine_.live() || phase_ == Phase::done) return;
  sides_opening_ = (producer_ ? 1 : 0) + (receiver_ ? 1 : 0);
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
    producer_->open(queue_, 0);
    return on_side_open({});
  }
  const std::string kind = lanes_of(*request_.pattern, request_.bind).writes;
  engine_.submit(OpenStream{queue_, kind, {}, 0}, [self = shared_from_this()](Completion& answer) {
    if (answer.status.ok()) self->producer_->open(self->queue_, answer.id);
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
  engine_.reactor().timers.cancel(reopen_);
  if (phase_ == Phase::open && trouble_told_.empty()) monitor(ZMQ_EVENT_DISCONNECTED);
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

void Link::attach(std::unique_ptr<Counterpart> counterpart) {
  counterpart_ = std::move(counterpart);
  look_ = true;
  opened_ = nullptr;  // the caller returns: what fails from now on is an event, and the link waits
}

// --- flow ------------------------------------------------------------------------------------------------------------

bool Link::pump() {
  bool moved = false;
  if (gate_ && gate_->probed.exchange(false)) on_probed();
  if (counterpart_) {
    if (receiver_) moved |= deliver();
    if (producer_) moved |= take();
    const bool was_full = pipe_full_;
    if (look_ || (pipe_full_ && fullness_is_over())) look();
    // Looking lets libzmq process its commands, which may bring more to take, or room to deliver into.
    if ((producer_ && !pipe_empty_ && producer_->ready()) || (was_full && !pipe_full_ && !closing())) moved = true;
  }
  if (receiver_) moved |= receiver_->work();
  if (producer_) moved |= producer_->commit();
  answer_flushes();
  if (abandon_ && (request_.pattern->envelope != Envelope::reply || pipe_empty_))
    receiver_->abandon(*std::exchange(abandon_, std::nullopt));
  if (closing()) moved |= finish();
  return moved;
}

bool Link::deliver() {
  if (closing()) return false;
  if (pipe_full_ && look_) {
    counterpart_->refresh();
    pipe_full_ = !counterpart_->writable();
  }
  bool any = false;
  for (int count = 0; count < kDeliverAtOnce && !pipe_full_ && send_next(); ++count) any = true;
  // libzmq may have processed, within the sending, the command that tells of something to receive: the descriptor rings no more for that.
  if (any && producer_) look_ = true;
  return any;
}

bool Link::send_next() {
  // While it waited, its claim was given up: by `hold`, or to a take-over. It is another's now.
  if (pending_ != nullptr && pending_->batch->owner == nullptr) return_pending();
  Slot* slot = pending_;
  if (slot == nullptr) {
    slot = receiver_->front();
    if (slot == nullptr) return false;
    receiver_->pop();
    split(*slot);
    slot->batch->lend(slot->index, static_cast<std::uint32_t>(parts_.size() - first_lent_));
    make_frame(*slot, 0, &pending_frame_);
    pending_ = slot;
  } else {
    split(*slot);
  }
  return hand_over(*slot);
}

void Link::make_frame(Slot& slot, std::size_t part, zmq_msg_t* frame) {
  if (part >= first_lent_) return slot.batch->frame(slot.index, parts_[part], frame);
  if (zmq_msg_init_size(frame, parts_[part].size()) != 0) throw std::bad_alloc();
  std::ranges::copy(parts_[part], static_cast<std::byte*>(zmq_msg_data(frame)));
}

bool Link::hand_over(Slot& slot) {
  // The application may let go of it, and its claim be closed, before the last frame is on its way.
  Batch& batch = *slot.batch;
  batch.ref();
  const bool sent = send_frames(slot);
  // An XPUB passed it over. Either news of the subscriptions is waiting for us, whose bell has rung already, or they are what we know, and then
  // the message is no subscriber's: its filter saw another first frame than ours did, in a damaged body.
  if (sent && counterpart_->has_sentinel() && slot.outcome() == Outcome::unread) {
    counterpart_->refresh();
    if (counterpart_->readable())
      look_ = true;
    else
      slot.passed_over = true;
  }
  batch.unref();
  return sent;
}

bool Link::send_frames(Slot& slot) {
  const bool with_properties = request_.endpoint.options.properties;
  const std::string properties = with_properties ? properties_of(slot) : std::string();
  const bool several = parts_.size() > 1 || with_properties;
  gate_->sending = true;  // an XPUB lets go of what its socket has ceased to subscribe to
  auto sent = counterpart_->send(&pending_frame_, several);
  if (sent != Counterpart::Io::done) {
    counterpart_->refresh();  // the pipe may have been read from since libzmq last looked
    if (counterpart_->writable()) sent = counterpart_->send(&pending_frame_, several);
  }
  if (sent != Counterpart::Io::done) {
    gate_->sending = false;
    pipe_full_ = true;
    look_ = !counterpart_->has_sentinel() || !counterpart_->writable() || counterpart_->readable();
    return false;
  }
  pending_ = nullptr;
  // The first frame decides: libzmq takes the others, or drops the whole message because the pipe has gone.
  for (std::size_t i = 1; i < parts_.size(); ++i) {
    zmq_msg_t frame;
    make_frame(slot, i, &frame);
    const bool more = i + 1 < parts_.size() || with_properties;
    if (counterpart_->send(&frame, more) != Counterpart::Io::done) zmq_msg_close(&frame);
  }
  if (with_properties) send_properties(properties);
  gate_->sending = false;
  return true;
}

std::string Link::properties_of(const Slot& slot) const {
  const Message& message = slot.batch->messages()[slot.index];
  std::string text;
  if (const Id claim = receiver_->claim_of(slot); claim != 0)
    add_property(text, "Delivery-Id", fmt::format("{}-{}-{}", request_.id, claim, message.seq));
  receiver_->describe(slot, text);
  add_property(text, "Sequence", fmt::format("{}", message.seq));
  add_property(text, "Sent-Time", rfc3339(message.stored));
  text += message.properties;
  if (text.back() != '\n') text += '\n';
  return text;
}

/// A frame of its own, which settles nothing: the message is let go with the frames that were stored.
void Link::send_properties(const std::string& text) {
  zmq_msg_t frame;
  if (zmq_msg_init_size(&frame, text.size()) != 0) throw std::bad_alloc();
  std::ranges::copy(text, static_cast<char*>(zmq_msg_data(&frame)));
  if (counterpart_->send(&frame, false) != Counterpart::Io::done) zmq_msg_close(&frame);
}

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

void Link::split(Slot& slot) {
  const Message& message = slot.batch->messages()[slot.index];
  parts_.clear();
  first_lent_ = 0;
  if (message.frames == 1) {
    parts_.push_back(message.body);
  } else if (!decode_frames(message.body, message.frames, parts_)) {
    on_link_event(VTX_EVENT_TROUBLE,
                  fmt::format("message {} of queue '{}' is damaged (its frames do not add up): delivered as stored",
                              message.seq, request_.endpoint.options.queue));
    parts_.assign(1, message.body);
  }
  if (request_.pattern->envelope == Envelope::reply) add_address(slot);
}

/// REP keeps what is ahead of the body, and returns it with its reply; if it is closed instead, libzmq lets go of it where nobody can tell
/// whether the body was received. So this is copied, and only the body lent.
void Link::add_address(const Slot& slot) {
  first_lent_ = first_body_frame(parts_).value_or(0) + 1;
  address_ = encode({receiver_->claim_of(slot), slot.batch->messages()[slot.index].seq});
  parts_.insert(parts_.begin(), address_);
}

/// The message that waits for room in the pipe was never received.
void Link::return_pending() {
  if (pending_ == nullptr) return;
  Slot& slot = *std::exchange(pending_, nullptr);
  split(slot);
  gate_->sending = true;
  zmq_msg_close(&pending_frame_);
  for (std::size_t i = std::max<std::size_t>(first_lent_, 1); i < parts_.size(); ++i) {
    zmq_msg_t frame;
    make_frame(slot, i, &frame);
    zmq_msg_close(&frame);
  }
  gate_->sending = false;
}

bool Link::take() {
  if (pipe_empty_ && !look_) return false;
  bool any = false;
  while (producer_->ready()) {
    bool more = false;
    const auto io = counterpart_->receive(producer_->spare(), &more);
    if (io == Counterpart::Io::done) {
      producer_->keep(more);
      pipe_empty_ = false;
      any = true;
      continue;
    }
    pipe_empty_ = true;
    look_ = true;
    break;
  }
  return any;
}

/// Follows what the application's socket subscribes to (RFC 29: a byte 1 or 0, then the prefix). That its end takes back every subscription
/// leaves an empty filter, which is nobody's wish.
void Link::take_subscriptions() {
  bool changed = false;
  bool more = false;
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  while (counterpart_->receive(&frame, &more) == Counterpart::Io::done) {
    const std::string_view text(static_cast<const char*>(zmq_msg_data(&frame)), zmq_msg_size(&frame));
    // All else are an XSUB's own messages upstream, for which a store has no use.
    if (!more && !text.empty() && (text[0] == 0 || text[0] == 1)) {
      text[0] == 1 ? filter_.subscribe(text.substr(1)) : filter_.unsubscribe(text.substr(1));
      changed = true;
    }
  }
  zmq_msg_close(&frame);
  if (changed && !closing()) receiver_->set_filter(filter_);
}

/// The pipe to a reader tells that it is full only by being written to, so that only libzmq can say when it is over.
bool Link::fullness_is_over() const { return !counterpart_->has_sentinel() && has_room(gate_->lent.load()); }

void Link::look() {
  look_ = false;
  // Counted before libzmq looks: what was let go by now has told the pipe of its reading. The other way round a consumer that
  // empties a full pipe between the two would look as if it had gone.
  const std::size_t lent = gate_ ? gate_->lent.load() : 0;
  counterpart_->refresh();
  if (counterpart_->terminated()) return on_context_terminated();
  if (request_.pattern->in == In::filter && counterpart_->readable()) {
    take_subscriptions();
    counterpart_->refresh();
  }
  pipe_empty_ = !counterpart_->readable();
  if (counterpart_->writable()) {
    pipe_full_ = false;
    return;
  }
  if (receiver_ && !counterpart_->has_sentinel() && !has_room(lent)) {
    pipe_full_ = true;
    return;
  }
  pipe_gone_ = true;
  if (!closing()) notice_close();
}

/// A PUSH counterpart cannot write when the pipe is full, or gone. inproc tells of reading only in steps of the low-water mark: with
/// fewer messages out than that leaves room for, the pipe cannot be full.
bool Link::has_room(std::size_t lent) const {
  const std::size_t mark = static_cast<std::size_t>(request_.receive_hwm) + 1;
  const std::size_t step = (mark + 1) / 2;
  const std::size_t out = lent - (pending_ != nullptr ? 1 : 0);
  return request_.receive_hwm == 0 || out + step - 1 < mark;
}

void Link::flush(std::shared_ptr<Call<Status>> call) {
  flushes_.push_back({std::move(call), 0, false});
  if (!producer_) flushes_.back().known = true;
  pipe_empty_ = false;
  look_ = true;
}

void Link::cancel_flush(const std::shared_ptr<Call<Status>>& call) {
  // A caller that does not wait gives up in the same breath as it asks: the pipe has not been looked at yet.
  if (counterpart_ && producer_) (void)take();
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

// --- the end ---------------------------------------------------------------------------------------------------------

void Link::begin_close(int linger_ms) {
  if (closing()) return;
  phase_ = Phase::closing;
  linger_ms_ = linger_ms;
  if (opened_) std::exchange(opened_, nullptr)(Status(Code::lost, "the link was closed"));
  if (gate_) gate_->closing.store(true, std::memory_order_release);
  decide_releases();  // what was let go before the end is not given back
  return_pending();
  if (receiver_) receiver_->close();
  if (producer_ && linger_ms_ >= 0) {
    linger_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + Ms(linger_ms_), [this] {
      linger_ = 0;
      linger_over_ = true;
    });
  }
}

void Link::notice_close() {
  begin_close(linger_ms_);
  if (!receiver_) return;
  // A sentinel may know that the socket goes before the pipe does: the first probe waits for that, the second for what follows from it.
  probes_ = counterpart_->has_sentinel() ? 2 : 1;
  probe();
}

/// What was unread is with the reaper; a probe that follows it there tells when it has been let go.
void Link::probe() {
  --probes_;
  const bool sent = gate_->lent.load() > 0 && probe_reaper(home_.zmq_context, [gate = gate_] {
                      gate->probed.store(true);
                      gate->queue->nudge();
                    });
  if (!sent) give_back();
}

void Link::on_probed() {
  if (probes_ <= 0) return give_back();
  if (counterpart_) counterpart_->refresh();
  probe();
}

void Link::on_disconnected() {
  if (!counterpart_) return;
  look();
  look_ = true;
}

void Link::decide_releases() {
  for (Slot* slot = home_.releases->take(); slot != nullptr;) {
    Slot* next = slot->next;
    Receiver::on_decided(slot);
    slot = next;
  }
}

void Link::give_back() {
  if (!receiver_) return;
  decide_releases();  // they are queued before this is called
  abandon(true);
}

/// What is in hand goes back; but first what answers some of it must be heard.
void Link::abandon(bool counted) {
  if (!receiver_ || abandon_) return;
  abandon_ = counted;
  look_ = true;
}

void Link::detach() {
  detached_ = true;
  begin_close(request_.linger_ms);
  look_ = true;
  abandon(false);  // what is unread cannot be told from what is in hand
}

void Link::on_context_terminated() {
  pipe_gone_ = true;
  pipe_empty_ = true;
  begin_close(linger_ms_);
  abandon(false);       // what is unread cannot be told from what is in hand
  close_counterpart();  // zmq_ctx_term waits for it
}

bool Link::finish() {
  if (phase_ == Phase::done) return false;
  if (producer_) {
    const bool drained = !counterpart_ || (pipe_empty_ && (pipe_gone_ || detached_));
    const bool stuck = !engine_.live() || !producer_->trouble().ok();
    if (linger_over_ && stuck && !given_up_ && !(drained && producer_->idle())) on_linger_expired();
    if (!given_up_ && !(drained && producer_->idle())) return false;
  }
  if (receiver_ && !receiver_->done()) return false;
  if (!depart()) return false;
  drop();
  return true;
}

/// The store forgets who we were. False while its answer is to come.
bool Link::depart() {
  if (departed_ || !engine_.live()) return true;
  if (departing_ > 0) return false;
  const auto answered = [self = shared_from_this()](Completion&) { self->departed_ = --self->departing_ == 0; };
  if (const auto producer = producer_ ? producer_->watermark() : std::nullopt; producer && producer_->idle()) {
    ++departing_;
    engine_.submit(Forget{*producer}, answered);
  }
  // What it has stored last may be more than the queue is to keep.
  if (const std::string& name = request_.endpoint.options.queue; producer_ && engine_.tender().lets_go(name)) {
    ++departing_;
    engine_.submit(Tend{name}, answered);
  }
  if (named_ != 0) {
    ++departing_;
    engine_.submit(Hold{queue_, hold_of_peer(request_.peer), named_, true}, answered);
  }
  departed_ = departing_ == 0;
  return departed_;
}

void Link::on_linger_expired() {
  std::uint64_t dropped = producer_->taken() - producer_->done();
  bool more = false;
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  while (counterpart_ && counterpart_->receive(&frame, &more) == Counterpart::Io::done) {
    if (!more) ++dropped;
  }
  zmq_msg_close(&frame);
  stats_.dropped += dropped;
  pipe_empty_ = true;
  given_up_ = true;
  producer_->give_up();
  on_link_event(
      VTX_EVENT_LINGER_EXPIRED,
      fmt::format("{} messages were not stored within the linger of {} ms and are dropped", dropped, linger_ms_));
}

void Link::close_counterpart() {
  if (!counterpart_) return;
  for (const int fd : counterpart_->fds()) home_.unwatch(fd);
  counterpart_.reset();
}

void Link::drop() {
  if (phase_ == Phase::done) return;
  phase_ = Phase::done;
  if (gate_) gate_->closing.store(true, std::memory_order_release);
  if (opened_) std::exchange(opened_, nullptr)(Status(Code::lost, "the link was closed"));
  return_pending();
  if (receiver_ && !receiver_->done()) receiver_->drop();
  if (producer_) producer_->drop();
  close_counterpart();
  if (std::exchange(joined_, false)) engine_.holder().leave(request_.endpoint.options.lease);
  engine_.remove(this);
  monitor(ZMQ_EVENT_CLOSED);
  for (Flush& flush : flushes_) flush.call->answer(Status(Code::fenced, "the link ended before all was durable"));
  flushes_.clear();
}

}  // namespace vtx
