/* SPDX-License-Identifier: MPL-2.0 */
//
// The commit: appends and settlements as one, which a repetition does not repeat.
#include <algorithm>

#include "ledger.hpp"

namespace vtx::rocks {

using driver::Append;
using driver::Commit;

namespace {

/// RocksDB's own bound for a value is 4 GiB; nobody wants to wait for the copying of one.
constexpr std::size_t kLongestBody = std::size_t{1} << 30;
/// Of one producer, which has one commit on its way.
constexpr std::size_t kRememberedAnswers = 16;

}  // namespace

Ledger::Ledger(Books& books, MessageLog& log, Disk& disk, Waiting& waiting, const driver::Clock& clock,
               std::function<void()> flush)
    : books_(books), log_(log), disk_(disk), waiting_(waiting), clock_(clock), flush_(std::move(flush)) {
  for (const auto& [id, row] : books_.holders.all()) books_.holders.recall(id).heard = clock_.now();
}

/// A clock that is set back holds nothing up: only within a stream does time not go back.
void Ledger::begin(u64 next_sync) {
  now_ = clock_.wall();
  next_sync_ = next_sync;
  sync_ = 0;
}

void Ledger::count(Id queue, const std::string& what, u64 by) {
  if (by > 0) books_.queues.edit(queue).counters[what] += by;
}

/// Whatever is wrong is found before anything is done: a commit is whole or not at all.
Status Ledger::check(const Commit& commit) const {
  for (const Append& append : commit.appends) {
    if (append.stream != 0 ? !books_.streams.find(append.stream) : !books_.queues.find(append.queue))
      return Status(Code::not_found, "No such stream.");
    if (append.only_if >= static_cast<int>(commit.settles.size()))
      return Status(Code::invalid, "only_if names no settlement of this commit.");
    if (append.priority < 0 || append.priority > driver::kHighestPriority)
      return Status(Code::invalid, "No such priority.");
    if (append.messages.size() > driver::kMaxBatch) return Status(Code::invalid, "Too many messages in one append.");
    std::size_t bytes = 0;
    for (const driver::Message& message : append.messages) {
      bytes += message.body.size();
      if (message.body.size() > kLongestBody) return Status(Code::invalid, "A message may have 1 GiB on RocksDB.");
    }
    if (bytes > driver::kMaxBatchBytes && append.messages.size() > 1)
      return Status(Code::invalid, "Too many bytes in one append.");
  }
  for (const driver::Tally& tally : commit.tallies)
    if (!books_.queues.find(tally.queue)) return Status(Code::not_found, "No such queue.");
  return {};
}

bool Ledger::reads_disk(const driver::Operation& operation) const {
  const auto* commit = std::get_if<Commit>(&operation);
  if (!commit) return !std::holds_alternative<driver::Beat>(operation);
  return std::ranges::any_of(commit->settles, [this](const driver::Settle& settle) {
    const ClaimRow* claim = books_.claims.find({settle.group, settle.claim});
    return claim && (!settle.odd.empty() || books_.streams.at(claim->stream).dead_letters);
  });
}

Completion Ledger::run(const Commit& commit) {
  Completion answer;
  answer.status = check(commit);
  if (!answer.status.ok()) return answer;
  if (commit.sync && !(commit.appends.empty() && commit.settles.empty())) sync_ = next_sync_;
  const ProducerRow* known = commit.counter == 0 ? nullptr : books_.producers.find(commit.producer);
  if (known && commit.counter <= known->counter) {
    for (const auto& [counter, fenced] : known->fenced)
      if (counter == commit.counter) answer.fenced = fenced;
    const StreamRow* last = commit.appends.empty() ? nullptr : target_of(commit.appends.back(), false);
    if (last) answer.head = last->head;
    return answer;
  }
  answer.status = check_room(commit, answer);
  if (!answer.status.ok()) {
    sync_ = 0;
    return answer;
  }
  for (u32 i = 0; i < commit.settles.size(); ++i)
    if (!settle(commit.settles[i])) answer.fenced.push_back(i);
  for (const Append& part : commit.appends) {
    const auto condition = static_cast<u32>(part.only_if);
    if (part.only_if >= 0 && std::ranges::find(answer.fenced, condition) != answer.fenced.end()) continue;
    append(part, answer);
  }
  for (const driver::Tally& tally : commit.tallies) count(tally.queue, tally.what, tally.n);
  if (commit.counter != 0) remember(commit, answer);
  return answer;
}

/// So that a repetition is known, and answered alike.
void Ledger::remember(const Commit& commit, const Completion& answer) {
  ProducerRow& producer = books_.producers.make(commit.producer);
  producer.counter = commit.counter;
  producer.used = now();
  if (answer.fenced.empty()) return;
  if (producer.fenced.size() == kRememberedAnswers) producer.fenced.erase(producer.fenced.begin());
  producer.fenced.emplace_back(commit.counter, answer.fenced);
}

/// What is there in the direction that the stream belongs to, all priorities together.
driver::QueueLimit Ledger::load_of(const StreamRow& stream) const {
  driver::QueueLimit load{0, 0};
  for (const StreamRow* other : books_.streams_of(stream.queue, stream.kind, stream.peer)) {
    load.messages += other->count + other->delayed;
    load.bytes += other->bytes + other->delayed_bytes;
  }
  return load;
}

Status Ledger::check_room(const Commit& commit, Completion& answer) const {
  std::map<Id, driver::QueueLimit> adding;
  for (const Append& append : commit.appends) {
    if (append.stream == 0 || books_.streams.at(append.stream).kind == "mailbox") continue;
    auto& more = adding.try_emplace(append.stream, driver::QueueLimit{0, 0}).first->second;
    more.messages += append.messages.size();
    for (const driver::Message& message : append.messages) more.bytes += message.body.size();
  }
  for (const auto& [id, more] : adding) {
    const StreamRow& stream = books_.streams.at(id);
    const QueueRow& queue = books_.queues.at(stream.queue);
    if (queue.declared.limit.empty()) continue;
    const auto limit = driver::parse_limit(queue.declared.limit).value_or(driver::QueueLimit{});
    const auto load = load_of(stream);
    if (limit.none() || limit.fits(load, more)) continue;
    const auto left = limit.left(load);
    answer.room = {static_cast<u32>(std::min<u64>(left.messages, driver::kMaxBatch)), left.bytes};
    waiting_.caller().roomy.insert(id);
    return Status(Code::full, "Queue '" + queue.name + "' is at its limit of " + queue.declared.limit + ".");
  }
  return {};
}

/// The stream that it is for; null when there is none.
const StreamRow* Ledger::target_of(const Append& append, bool create) {
  const StreamRow* base = append.stream != 0 ? books_.streams.find(append.stream)
                                             : books_.find_stream(append.queue, "mailbox", append.peer, 0);
  if (!base || append.priority == 0) return base;
  const auto priority = static_cast<u64>(append.priority);
  const StreamRow* sibling = books_.find_stream(base->queue, base->kind, base->peer, priority);
  return sibling || !create ? sibling : &books_.make_stream(base->queue, base->kind, base->peer, priority);
}

/// What goes to the stream now: not what a forward has brought before, nor what is delayed, which is put aside.
std::vector<driver::Message> Ledger::choose(StreamRow& stream, const Append& append) {
  std::vector<driver::Message> fresh;
  for (const driver::Message& message : append.messages) {
    if (!append.origin.empty()) {
      Seq& mark = books_.origins.make(append.origin).mark;
      if (message.origin <= mark) continue;
      mark = message.origin;
    }
    if (message.delay > Ms::zero()) {
      delay(stream, message);
      if (sync_ != 0) unsynced_.add_delayed(stream.id, sync_);
      continue;
    }
    fresh.push_back(message);
    fresh.back().expires = {};  // what was read says when it expired; here its ttl counts anew
  }
  return fresh;
}

void Ledger::append(const Append& append, Completion& answer) {
  const StreamRow* target = target_of(append, true);
  if (!target) {
    answer.count += append.messages.size();
    return count(append.queue, "undeliverable", append.messages.size());
  }
  StreamRow& stream = books_.streams.edit(target->id);
  // Most commits are taken as they are.
  const bool is_plain =
      append.origin.empty() && std::ranges::all_of(append.messages, [](const driver::Message& message) {
        return message.delay == Ms::zero() && message.expires == StoreTime{};
      });
  std::vector<driver::Message> chosen;
  if (!is_plain) chosen = choose(stream, append);
  const std::span<const driver::Message> fresh(is_plain ? append.messages : chosen);
  if (!fresh.empty() && sync_ != 0) unsynced_.add(stream.id, stream.head + 1, sync_);
  if (!fresh.empty()) log_.append(stream, fresh, now());
  answer.head = stream.head;
  if (!fresh.empty()) waiting_.ring_stream(stream);
}

}  // namespace vtx::rocks
