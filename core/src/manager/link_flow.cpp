/* SPDX-License-Identifier: MPL-2.0 */
//
// The way of messages through the pipe between a link and its application's socket: handing over, taking, and what libzmq tells of the pipe.
#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "codec/properties.hpp"
#include "manager/link.hpp"
#include "vtx/driver/frames.hpp"

namespace vtx {

using namespace driver;

namespace {
constexpr int kDeliverAtOnce = 1024;
constexpr Ms kNoPipe{1000};  // a message of a peer that cannot be joined is tried again after this
}  // namespace

bool Link::pump() {
  bool moved = false;
  if (gate_ && gate_->probed.load() && gate_->probed.exchange(false)) on_probed();
  if (pipe_ && has_arrived()) {
    if (peers_ && !closing() && !pipe_gone_) moved |= peers_->work();
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
  // libzmq answers that the pipe ends only when all that the application sent through it has been taken.
  if (probe_due_ && (!pipe_ || pipe_empty_)) probe();
  if (abandon_ && (request_.pattern->envelope != Envelope::reply || pipe_empty_))
    receiver_->abandon(*std::exchange(abandon_, std::nullopt));
  if (closing()) moved |= finish();
  return moved;
}

/// With ZMQ_IMMEDIATE the application's socket sees the pipe only when the store is there.
bool Link::has_arrived() {
  if (pipe_->arrived()) return true;
  pipe_empty_ = true;
  pipe_gone_ = closing();
  if (closing() || phase_ != Phase::open) return false;
  pipe_->arrive();
  look_ = true;
  return true;
}

bool Link::deliver() {
  if (closing()) return false;
  if (pipe_full_ && look_) {
    pipe_->refresh();
    pipe_full_ = !pipe_->writable();
  }
  bool any = false;
  for (int count = 0; count < kDeliverAtOnce && !pipe_full_ && send_next(); ++count) any = true;
  // libzmq may have processed, within the sending, the command that tells of something to receive: the descriptor rings no more for that.
  if (any && producer_) look_ = true;
  return any;
}

bool Link::send_next() {
  // While it waited, its claim was given up, by `hold` or to a take-over, and it is another's now; or its time was over.
  if (pending_ != nullptr && (pending_->batch->owner == nullptr || is_late(*pending_))) {
    return_pending();
    decide_releases();  // before its batch is through
  }
  Slot* slot = pending_;
  if (slot == nullptr) {
    slot = receiver_->front();
    if (slot == nullptr) return false;
    if (!aim(*slot)) return pending_ == nullptr && !pipe_->terminated();
    receiver_->pop();
    split(*slot);
    slot->batch->lend(slot->index, static_cast<std::uint32_t>(parts_.size() - first_lent_));
    make_frame(*slot, 0, &pending_frame_);
    pending_ = slot;
  } else {
    if (!aim(*slot)) return false;
    split(*slot);
  }
  const bool sent = hand_over(*slot);
  if (sent && peers_) peers_->on_delivered();
  return sent;
}

/// Where the message goes, where there is more than one peer. False: nowhere, for now.
bool Link::aim(const Slot& slot) {
  if (!peers_ || peers_->aim(slot.batch->messages()[slot.index]).ok()) return true;
  if (pending_ == nullptr && !pipe_->terminated())
    receiver_->put_off(kNoPipe, "there was no socket or descriptor left for its sender");
  return false;
}

bool Link::is_late(const Slot& slot) const {
  return has_expired(slot.batch->messages()[slot.index], engine_.reactor().clock);
}

void Link::make_frame(Slot& slot, std::size_t part, zmq_msg_t* frame) {
  if (part >= first_lent_) return slot.batch->frame(slot.index, parts_[part], frame);
  if (zmq_msg_init_size(frame, parts_[part].size()) != 0) throw std::bad_alloc();
  std::ranges::copy(parts_[part], static_cast<std::byte*>(zmq_msg_data(frame)));
}

/// The batch stays, though the application may let go of the message meanwhile: the driver's own reference goes when a claim is closed, which is
/// between two messages only.
bool Link::hand_over(Slot& slot) {
  const bool sent = send_frames(slot);
  // An XPUB passed it over. Either news of the subscriptions is waiting for us, whose bell has rung already, or they are what we know, and then
  // the message is no subscriber's: its filter saw another first frame than ours did, in a damaged body.
  if (sent && request_.pattern->in == In::filter && slot.outcome() == Outcome::unread) {
    pipe_->refresh();
    if (pipe_->readable())
      look_ = true;
    else
      slot.passed_over = true;
  }
  return sent;
}

bool Link::send_frames(Slot& slot) {
  const bool with_properties = request_.endpoint.options.properties;
  const std::string properties = with_properties ? properties_of(slot) : std::string();
  const bool several = parts_.size() > 1 || with_properties;
  gate_->sending = true;  // an XPUB lets go of what its socket has ceased to subscribe to
  auto sent = pipe_->send(&pending_frame_, several);
  if (sent != Pipe::Io::done) {
    pipe_->refresh();  // the pipe may have been read from since libzmq last looked
    if (pipe_->writable()) sent = pipe_->send(&pending_frame_, several);
  }
  if (sent != Pipe::Io::done) {
    gate_->sending = false;
    pipe_full_ = true;
    look_ = !pipe_->has_sentinel() || !pipe_->writable() || pipe_->readable();
    return false;
  }
  pending_ = nullptr;
  // The first frame decides: libzmq takes the others, or drops the whole message because the pipe has gone.
  for (std::size_t i = 1; i < parts_.size(); ++i) {
    zmq_msg_t frame;
    make_frame(slot, i, &frame);
    const bool more = i + 1 < parts_.size() || with_properties;
    if (pipe_->send(&frame, more) != Pipe::Io::done) zmq_msg_close(&frame);
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
  if (pipe_->send(&frame, false) != Pipe::Io::done) zmq_msg_close(&frame);
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
    on_link_event(VTX_EVENT_RECOVERED, "the link goes on");
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
    const auto io = pipe_->receive(producer_->spare(), &more);
    if (io == Pipe::Io::done) {
      producer_->keep(more, pipe_->source());
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
  while (pipe_->receive(&frame, &more) == Pipe::Io::done) {
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
bool Link::fullness_is_over() const { return !pipe_->has_sentinel() && has_room(gate_->lent()); }

void Link::look() {
  look_ = false;
  // Counted before libzmq looks: what was let go by now has told the pipe of its reading. The other way round a consumer that
  // empties a full pipe between the two would look as if it had gone.
  const std::size_t lent = gate_ ? gate_->lent() : 0;
  pipe_->refresh();
  if (pipe_->terminated()) return on_context_terminated();
  if (request_.pattern->in == In::filter && pipe_->readable()) {
    take_subscriptions();
    pipe_->refresh();
  }
  pipe_empty_ = !pipe_->readable();
  if (pipe_->writable()) {
    pipe_full_ = false;
    return;
  }
  if (receiver_ && (pipe_->has_sentinel() ? !pipe_->gone() : !has_room(lent))) {
    pipe_full_ = true;
    return;
  }
  pipe_gone_ = true;
  if (!closing() || awaits_close_) notice_close();
}

/// A PUSH counterpart cannot write when the pipe is full, or gone. inproc tells of reading only in steps of the low-water mark: with
/// fewer messages out than that leaves room for, the pipe cannot be full. One more may not be read to its end, though its first frames have been let go.
bool Link::has_room(std::size_t lent) const {
  const std::size_t mark = static_cast<std::size_t>(request_.receive_hwm) + 1;
  const std::size_t step = (mark + 1) / 2;
  const std::size_t out = lent - (pending_ != nullptr ? 1 : 0);
  return request_.receive_hwm == 0 || out + step < mark;
}

}  // namespace vtx
