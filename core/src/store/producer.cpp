/* SPDX-License-Identifier: MPL-2.0 */
#include "store/producer.hpp"

#include <sys/random.h>

#include "store/tender.hpp"
#include "vtx/driver/frames.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

namespace {
constexpr Ms kAfterTrouble{250};          // a commit that failed for a passing reason is tried again after this
constexpr std::size_t kBatchesAhead = 2;  // one being committed, one gathering
constexpr std::size_t kKeptBytes = 4 * kMaxBatchBytes;  // of a spare batch: a large message must not stay for ever
}  // namespace

void Producer::Batch::clear() {
  frames.clear();
  items.clear();
  encoded.clear();
  if (encoded.capacity() > kKeptBytes) encoded = {};
  bytes = 0;
  done = 0;
  frozen = false;
  singly = false;
}

Producer::Producer(Engine& engine, const LinkOptions& options, LinkStats& stats, LinkEvents& events)
    : engine_(engine), options_(options), stats_(stats), events_(events) {
  std::size_t filled = 0;
  while (filled < id_.size()) {
    const ssize_t got = ::getrandom(id_.data() + filled, id_.size() - filled, 0);
    if (got > 0) filled += static_cast<std::size_t>(got);
  }
}

Producer::~Producer() { engine_.reactor().timers.cancel(again_); }

void Producer::open(Id stream) {
  stream_ = stream;
  engine_.reactor().timers.cancel(again_);
}

void Producer::on_lost() { stream_ = 0; }

bool Producer::ready() const {
  if (stream_ == 0 || !engine_.live() || !trouble_.ok()) return false;
  if (batches_.size() < kBatchesAhead) return true;
  const Batch& last = *batches_.back();
  return !last.frozen && last.items.size() < kMaxBatch && last.bytes < kMaxBatchBytes;
}

Producer::Batch& Producer::gathering() {
  if (batches_.empty() || batches_.back()->frozen || batches_.back()->items.size() >= kMaxBatch ||
      batches_.back()->bytes >= kMaxBatchBytes) {
    open_frame_ = 0;
    if (spare_.empty()) spare_.push_back(std::make_unique<Batch>());
    batches_.push_back(std::move(spare_.back()));
    spare_.pop_back();
  }
  return *batches_.back();
}

void Producer::keep(bool more) {
  Batch& batch = *batches_.back();
  open_bytes_ += zmq_msg_size(batch.frames.spare());
  batch.frames.keep();
  if (more) return;
  const auto frames = static_cast<u32>(batch.frames.size() - open_frame_);
  Item& item = batch.items.emplace_back(Item{open_frame_, frames, open_bytes_, {}});
  if (options_.properties && frames > 1) take_properties(batch, item);
  batch.bytes += open_bytes_;
  ++taken_;
  ++stats_.taken;
  open_bytes_ = 0;
  open_frame_ = batch.frames.size();
}

/// The last frame is not part of the message, unless it is not what it should be: nothing is lost, and the sender is told.
void Producer::take_properties(Batch& batch, Item& item) {
  zmq_msg_t* frame = batch.frames.at(item.first_frame + item.frames - 1);
  const std::string_view text(static_cast<const char*>(zmq_msg_data(frame)), zmq_msg_size(frame));
  auto properties = parse_properties(text);
  if (!properties) {
    events_.on_link_event(VTX_EVENT_BAD_PROPERTIES,
                          properties.error().text() + "; the message is stored with them as its last frame");
    return;
  }
  --item.frames;
  item.bytes -= text.size();
  item.properties = std::move(*properties);
}

std::vector<Message> Producer::messages_of(Batch& batch) {
  std::size_t joined = 0;
  const std::span<const Item> items = std::span(batch.items).subspan(batch.done, batch.next());
  for (const Item& item : items) {
    if (item.frames != 1) joined += item.bytes + item.frames * sizeof(u32);
  }
  batch.encoded.resize(joined);
  std::span<std::byte> space(batch.encoded);
  std::vector<Message> messages(items.size());
  std::vector<std::span<const std::byte>> parts;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Item& item = items[i];
    const auto bytes_of = [&](std::size_t frame) {
      zmq_msg_t* message = batch.frames.at(item.first_frame + frame);
      return std::span(static_cast<const std::byte*>(zmq_msg_data(message)), zmq_msg_size(message));
    };
    messages[i].frames = item.frames;
    messages[i].properties = item.properties.kept;
    messages[i].ttl = item.properties.ttl;
    if (item.frames == 1) {
      messages[i].body = bytes_of(0);
      continue;
    }
    parts.clear();
    for (u32 frame = 0; frame < item.frames; ++frame) parts.push_back(bytes_of(frame));
    const std::span<std::byte> body = space.first(item.bytes + item.frames * sizeof(u32));
    encode_frames(parts, body);
    messages[i].body = body;
    space = space.subspan(body.size());
  }
  return messages;
}

bool Producer::commit() {
  if (committing_ || again_ != 0 || stream_ == 0 || !engine_.live()) return false;
  if (batches_.empty() || batches_.front()->items.empty()) return false;
  committing_ = true;
  batches_.front()->frozen = true;
  Commit commit;
  commit.producer = id_;
  commit.counter = counter_ + 1;
  commit.sync = options_.sync;
  commit.appends.push_back({stream_, messages_of(*batches_.front()), {}, -1});
  engine_.submit(std::move(commit), [self = shared_from_this()](Completion& answer) { self->on_committed(answer); });
  // A consumer that waits here may ask at once: its claim comes after the commit, with an embedded store in the same transaction.
  engine_.on_changed(options_.queue);
  return true;
}

void Producer::on_committed(Completion& answer) {
  committing_ = false;
  if (dropped_) return;
  if (!answer.status.ok()) {
    const Code code = answer.status.code();
    if (code == Code::lost || code == Code::in_doubt) return;  // the same commit again when the session is back
    if (code == Code::invalid) return on_refused(answer.status);
    if (trouble_.ok()) events_.on_link_event(VTX_EVENT_TROUBLE, answer.status.text());
    trouble_ = answer.status;
    again_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + kAfterTrouble, [this] { again_ = 0; });
    return;
  }
  if (!trouble_.ok()) {
    trouble_ = {};
    events_.on_link_event(VTX_EVENT_RECOVERED, "messages are stored again");
  }
  engine_.on_changed(options_.queue);
  ++counter_;
  ++stats_.commits;
  const std::size_t count = batches_.front()->next();
  stats_.durable += count;
  engine_.tender().stored(options_.queue);
  on_done(count);
}

/// The store will never take one of these messages; it must not hold up its neighbours, nor those that come.
void Producer::on_refused(const Status& why) {
  Batch& batch = *batches_.front();
  if (batch.next() > 1) {
    batch.singly = true;
    return;
  }
  ++stats_.dropped;
  refusal_ = why;
  events_.on_link_event(VTX_EVENT_REFUSED, why.text() + "; the message was dropped");
  on_done(1);
}

void Producer::on_done(std::size_t count) {
  done_ += count;
  Batch& batch = *batches_.front();
  batch.done += count;
  if (batch.done < batch.items.size()) return;
  batch.clear();
  spare_.push_back(std::move(batches_.front()));
  batches_.pop_front();
}

}  // namespace vtx
