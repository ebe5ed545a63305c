/* SPDX-License-Identifier: MPL-2.0 */
#include "store/producer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "store/tender.hpp"
#include "util/random.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

namespace {
constexpr Ms kAfterTrouble{250};          // a commit that failed for a passing reason is tried again after this
constexpr Ms kCalm{500};                  // a queue that was full and has not been since counts as recovered
constexpr std::size_t kBatchesAhead = 2;  // one being committed, one gathering
constexpr std::size_t kKeptBytes = 4 * kMaxBatchBytes;  // of a spare batch: a large message must not stay for ever
}  // namespace

std::size_t Producer::Batch::next() const {
  const std::size_t left = items.size() - done;
  return singly ? 1 : at_most > 0 ? std::min(at_most, left) : left;
}

void Producer::Batch::clear() {
  frames.clear();
  items.clear();
  encoded.clear();
  if (encoded.capacity() > kKeptBytes) encoded = {};
  bytes = 0;
  done = 0;
  frozen = false;
  singly = false;
  at_most = 0;
}

Producer::Producer(Engine& engine, const LinkOptions& options, LinkStats& stats, LinkEvents& events)
    : engine_(engine),
      options_(options),
      defaults_{{}, options.delay, options.ttl, options.priority.value_or(0)},
      stats_(stats),
      events_(events),
      id_(random_bytes<16>()) {
  engine_.add(this);
}

Producer::~Producer() {
  engine_.remove(this);
  engine_.reactor().timers.cancel(again_);
  engine_.reactor().timers.cancel(calm_);
}

void Producer::open(Id queue, Id stream, const std::string& kind) {
  open_ = true;
  kind_ = kind;
  queue_ = queue;
  stream_ = stream;
  engine_.reactor().timers.cancel(again_);
}

void Producer::on_lost() { open_ = false; }

std::optional<std::array<std::byte, 16>> Producer::watermark() const {
  return counter_ > 0 ? std::optional(id_) : std::nullopt;
}

bool Producer::ready() const {
  if (!open_ || !engine_.live() || !trouble_.ok()) return false;
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

Frame Producer::frame_of(Batch& batch, std::size_t index) const {
  zmq_msg_t* message = batch.frames.at(index);
  return {static_cast<const std::byte*>(zmq_msg_data(message)), zmq_msg_size(message)};
}

void Producer::keep(bool more, const std::string& source) {
  Batch& batch = *batches_.back();
  open_bytes_ += zmq_msg_size(batch.frames.spare());
  batch.frames.keep();
  if (more) return;
  parts_.clear();
  for (std::size_t i = open_frame_; i < batch.frames.size(); ++i) parts_.push_back(frame_of(batch, i));
  Item& item = batch.items.emplace_back();
  item.peer = source;
  item.first_frame = open_frame_;
  item.bytes = std::exchange(open_bytes_, 0);
  item.properties = defaults_;
  if (options_.properties) take_properties(parts_, item);
  item.frames = static_cast<u32>(parts_.size());
  if (!seal(parts_, item)) {
    batch.items.pop_back();
    batch.frames.shrink(open_frame_);
    count_refused(1);
    return;
  }
  batch.bytes += item.bytes;
  ++taken_;
  ++stats_.taken;
  open_frame_ = batch.frames.size();
}

bool Producer::seal(std::span<const Frame>, Item&) { return true; }

/// The last frame is not part of the message, unless it is not what it should be: nothing is lost, and the sender is told.
void Producer::take_properties(std::vector<Frame>& frames, Item& item) {
  if (frames.size() - envelope_of(frames) < 2) return;
  const std::string_view text(reinterpret_cast<const char*>(frames.back().data()), frames.back().size());
  auto properties = parse_properties(text, defaults_);
  if (properties && properties->priority > 0 && !options_.priority) {
    properties->priority = 0;  // it may have come from another queue, where it meant something
    if (!std::exchange(priority_told_, true))
      events_.on_link_event(
          VTX_EVENT_BAD_PROPERTIES,
          fmt::format("property 'Priority' is of no use here: {}; messages go without it", kOneOrder));
  }
  if (!properties) {
    events_.on_link_event(VTX_EVENT_BAD_PROPERTIES,
                          properties.error().text() + "; the message is stored with them as its last frame");
    return;
  }
  frames.pop_back();
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
  std::vector<Frame> parts;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Item& item = items[i];
    messages[i].frames = item.frames;
    messages[i].properties = item.properties.kept;
    messages[i].delay = item.properties.delay;
    messages[i].ttl = item.properties.ttl;
    if (item.frames == 1) {
      messages[i].body = frame_of(batch, item.first_frame);
      continue;
    }
    parts.clear();
    for (u32 frame = 0; frame < item.frames; ++frame) parts.push_back(frame_of(batch, item.first_frame + frame));
    const std::span<std::byte> body = space.first(item.bytes + item.frames * sizeof(u32));
    encode_frames(parts, body);
    messages[i].body = body;
    space = space.subspan(body.size());
  }
  return messages;
}

void Producer::count_refused(u64 n) {
  stats_.dropped += n;
  stats_.refused += n;
  untold_ += n;
}

/// In a commit of its own, which waits for nothing that the messages wait for.
void Producer::tell_refused() {
  if (untold_ == 0 || telling_ || given_up_ || again_ != 0 || !open_ || !engine_.live()) return;
  telling_ = true;
  Commit commit;
  commit.sync = false;
  commit.tallies.push_back({queue_, "refused", untold_});
  engine_.submit(std::move(commit), [self = shared_from_this(), told = untold_](Completion& answer) {
    self->on_told(told, answer.status);
  });
}

void Producer::on_told(u64 told, const Status& status) {
  telling_ = false;
  // Of an answer that was lost nobody knows; rather once too few than twice.
  if (status.ok() || status.code() == Code::in_doubt) untold_ -= told;
  if (dropped_ || status.code() == Code::lost || status.code() == Code::in_doubt) return;
  if (!status.ok()) return on_trouble(status);
  if (trouble_.code() != Code::full) recover();
}

bool Producer::commit() {
  tell_refused();
  if (committing_ || given_up_ || again_ != 0 || !open_ || !engine_.live()) return false;
  if (batches_.empty() || batches_.front()->items.empty()) return false;
  committing_ = true;
  waits_for_room_ = false;
  batches_.front()->frozen = true;
  Commit commit;
  commit.producer = id_;
  commit.counter = counter_ + 1;
  commit.sync = options_.sync;
  Batch& batch = *batches_.front();
  address(Items(batch.items).subspan(batch.done, batch.next()), messages_of(batch), commit);
  engine_.submit(std::move(commit), [self = shared_from_this()](Completion& answer) { self->on_committed(answer); });
  // A consumer that waits here may ask at once: its claim comes after the commit, with an embedded store in the same transaction.
  wake(Items(batch.items).subspan(batch.done, batch.next()));
  return true;
}

/// An append for each priority, in which the order of sending is kept.
void Producer::address(Items items, std::vector<Message> messages, Commit& commit) const {
  const int first = items.front().properties.priority;
  const auto same = [first](const Item& item) { return item.properties.priority == first; };
  if (std::ranges::all_of(items, same)) {
    append_to(first, commit).messages = std::move(messages);
    return;
  }
  for (std::size_t i = 0; i < items.size(); ++i)
    append_to(items[i].properties.priority, commit).messages.push_back(messages[i]);
}

Append& Producer::append_to(int priority, Commit& commit) const {
  const auto found = std::ranges::find(commit.appends, priority, &Append::priority);
  if (found != commit.appends.end()) return *found;
  Append& append = commit.appends.emplace_back();
  append.stream = stream_;
  append.priority = priority;
  return append;
}

void Producer::on_committed(Completion& answer) {
  committing_ = false;
  if (dropped_) return;
  if (!answer.status.ok()) {
    const Code code = answer.status.code();
    if (code == Code::lost || code == Code::in_doubt) return;  // the same commit again when the session is back
    if (code == Code::invalid) {
      recover();
      return on_refused(answer.status);
    }
    if (code == Code::full) return on_full(answer);
    return on_trouble(answer.status);
  }
  recover();
  ++counter_;
  ++stats_.commits;
  const Batch& batch = *batches_.front();
  const std::size_t count = batch.next();
  wake(Items(batch.items).subspan(batch.done, count));
  stats_.durable += count;
  stats_.undeliverable += answer.count;
  on_stored(Items(batch.items).subspan(batch.done, count), answer);
  engine_.tender().stored(options_.queue);
  on_done(count);
}

void Producer::on_trouble(const Status& why) {
  if (trouble_.ok() || trouble_.code() == Code::full) events_.on_link_event(VTX_EVENT_TROUBLE, why.text());
  trouble_ = why;
  engine_.reactor().timers.cancel(again_);
  again_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + kAfterTrouble, [this] { again_ = 0; });
}

/// Refused as a whole, and so the commit may come again with less under the same counter.
void Producer::on_full(const Completion& answer) {
  Batch& batch = *batches_.front();
  engine_.reactor().timers.cancel(calm_);
  if (!std::exchange(full_told_, true)) events_.on_link_event(VTX_EVENT_QUEUE_FULL, answer.status.text());
  trouble_ = answer.status;
  const std::size_t tried = batch.next();
  std::size_t fit = 0;
  std::size_t bytes = 0;
  for (; fit < tried && fit < answer.room.messages; ++fit) {
    const Item& item = batch.items[batch.done + fit];
    bytes += item.bytes + (item.frames == 1 ? 0 : item.frames * sizeof(u32));
    if (bytes > answer.room.bytes) break;
  }
  // One that is larger than the room may be larger than the limit, and that one is let in where nothing else is.
  if (fit == 0 && answer.room.messages > 0 && answer.room.bytes > 0) fit = 1;
  batch.at_most = fit;
  if (fit > 0 && fit < tried) return;
  waits_for_room_ = true;
  again_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + kAfterTrouble, [this] {
    again_ = 0;
    on_room();
  });
  engine_.tender().make_room(options_.queue);
}

void Producer::on_room() {
  if (!std::exchange(waits_for_room_, false)) return;
  engine_.reactor().timers.cancel(again_);
  batches_.front()->at_most = 0;  // there may be more room than there was
}

void Producer::on_calm() {
  calm_ = 0;
  if (dropped_) return;
  full_told_ = false;
  events_.on_link_event(VTX_EVENT_RECOVERED, "the queue has room again");
}

void Producer::recover() {
  if (full_told_ && calm_ == 0)
    calm_ = engine_.reactor().timers.at(engine_.reactor().clock.now() + kCalm, [this] { on_calm(); });
  const Code code = std::exchange(trouble_, {}).code();
  if (code == Code::ok || code == Code::full) return;
  events_.on_link_event(VTX_EVENT_RECOVERED, "messages are stored again");
}

/// The store will never take one of these messages; it must not hold up its neighbours, nor those that come.
void Producer::on_refused(const Status& why) {
  Batch& batch = *batches_.front();
  if (batch.next() > 1) {
    batch.singly = true;
    return;
  }
  count_refused(1);
  refusal_ = why;
  events_.on_link_event(VTX_EVENT_REFUSED, why.text() + "; the message was dropped");
  on_given_up(batch.items[batch.done], why.text());
  on_done(1);
}

void Producer::give_up() {
  given_up_ = true;
  for (const auto& batch : batches_)
    for (const Item& item : Items(batch->items).subspan(batch->done)) on_given_up(item, "its linger was over");
}

void Producer::on_done(std::size_t count) {
  done_ += count;
  Batch& batch = *batches_.front();
  batch.done += count;
  batch.at_most = 0;
  if (batch.done < batch.items.size()) return;
  batch.clear();
  spare_.push_back(std::move(batches_.front()));
  batches_.pop_front();
}

}  // namespace vtx
