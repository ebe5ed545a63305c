/* SPDX-License-Identifier: MPL-2.0 */
//
// Queues, streams and groups of the in-memory store: opening, an operator's hand, statistics.
#include <algorithm>

#include "support/memory_database.hpp"
#include "vtx/driver/dead_letter.hpp"
#include "vtx/driver/roles.hpp"

namespace vtx::test {

using driver::Completion;
using driver::OpenGroup;
using driver::OpenQueue;
using driver::OpenStream;
using driver::Steer;
using driver::Verb;

namespace {

/// A dead letter that somebody settled. What retention took is still the group's until it is counted.
bool is_gone(const StreamRow& stream, Seq seq) { return stream.dead_letters && !stream.messages.contains(seq); }

}  // namespace

QueueRow* MemoryDatabase::find_queue(const std::string& name) {
  for (auto& [id, queue] : tables_.queues)
    if (queue.name == name) return &queue;
  return nullptr;
}

QueueRow& MemoryDatabase::make_queue(const std::string& name, driver::Declaration declared) {
  const Id id = ++last_id_;
  return tables_.queues[id] = {id, name, std::move(declared), {}, {}};
}

StreamRow* MemoryDatabase::find_stream(Id queue, const std::string& kind, const std::string& peer, int priority) {
  for (auto& [id, stream] : tables_.streams)
    if (stream.queue == queue && stream.kind == kind && stream.peer == peer && stream.priority == priority)
      return &stream;
  return nullptr;
}

StreamRow& MemoryDatabase::make_stream(Id queue, const std::string& kind, const std::string& peer, int priority) {
  StreamRow stream;
  stream.id = ++last_id_;
  stream.queue = queue;
  stream.kind = kind;
  stream.peer = peer;
  stream.priority = priority;
  if (tables_.epoch > 1) stream.fork = 0;  // all that it will have is of this epoch
  stream.dead_letters = kind == "main" && is_dead_queue(tables_.queues.at(queue).name);
  return tables_.streams[stream.id] = std::move(stream);
}

/// The stream that it is for; null when there is none.
StreamRow* MemoryDatabase::target_of(const driver::Append& append, bool create) {
  StreamRow* base =
      append.stream != 0 ? &tables_.streams.at(append.stream) : find_stream(append.queue, "mailbox", append.peer, 0);
  if (!base || append.priority == 0) return base;
  StreamRow* sibling = find_stream(base->queue, base->kind, base->peer, append.priority);
  return sibling || !create ? sibling : &make_stream(base->queue, base->kind, base->peer, append.priority);
}

/// Where the queue's dead letters go, made when the first one comes.
StreamRow& MemoryDatabase::dead_stream_of(const QueueRow& queue) {
  const std::string name = queue.name + ".dead";
  QueueRow* dead = find_queue(name);
  if (!dead) dead = &make_queue(name, {"forever", ""});
  StreamRow* stream = find_stream(dead->id, "main", "", 0);
  return stream ? *stream : make_stream(dead->id, "main", "", 0);
}

Completion MemoryDatabase::run(const OpenQueue& open) {
  QueueRow* queue = find_queue(open.queue);
  const bool known = queue != nullptr;
  if (!known) {
    if (!open.create) return refuse(Code::not_found, "There is no queue '" + open.queue + "'.");
    queue = &make_queue(open.queue, open.defaults);
  }
  if (Status status = driver::check_role(open, queue->roles); !status.ok()) {
    Completion answer;
    answer.status = std::move(status);
    return answer;
  }
  driver::Declaration wished = queue->declared;
  if (open.retain) wished.retain = *open.retain;
  if (open.limit) wished.limit = *open.limit;
  if (is_dead_queue(open.queue)) wished = {"forever", ""};
  if (known && wished != queue->declared && !open.change)
    return refuse(Code::mismatch,
                  "Queue '" + open.queue + "' was declared with retain=" + queue->declared.retain + ".");
  for (const std::string& name : open.groups) {
    const bool there = std::ranges::any_of(tables_.groups, [&](const auto& entry) {
      return entry.second.queue == queue->id && entry.second.title() == driver::GroupName{"main", "", name};
    });
    if (there) continue;
    if (known && !open.change)
      return refuse(Code::mismatch, "Queue '" + open.queue + "' was declared without the group '" + name + "'.");
    run(OpenGroup{queue->id, "main", "", name, "oldest", {}, {}});
  }
  if (std::exchange(queue->declared, wished).limit != wished.limit) ring_all(queue->id);
  queue->roles = driver::with_role(queue->roles, open.role);
  Completion answer;
  answer.id = queue->id;
  answer.declared = queue->declared;
  return answer;
}

Completion MemoryDatabase::run(const OpenStream& open) {
  if (!tables_.queues.contains(open.queue)) return refuse(Code::not_found, "No such queue.");
  const StreamRow* stream = find_stream(open.queue, open.kind, open.peer, open.priority);
  if (!stream && !open.create) return refuse(Code::not_found, "No such stream.");
  if (!stream) stream = &make_stream(open.queue, open.kind, open.peer, open.priority);
  Completion answer;
  answer.id = stream->id;
  answer.head = stream->head;
  answer.tail = stream->tail();
  answer.fork = stream->fork;
  return answer;
}

Completion MemoryDatabase::run(const OpenGroup& open) {
  const auto start = driver::parse_start(open.from.empty() ? "oldest" : open.from);
  if (!start) return refuse(Code::invalid, "Option 'from': " + start.error().text());
  if (!tables_.queues.contains(open.queue)) return refuse(Code::not_found, "No such queue.");
  const auto same = [&](const auto& entry) {
    const GroupRow& row = entry.second;
    return row.queue == open.queue && row.kind == open.kind && row.peer == open.peer && row.name == open.name;
  };
  auto found = std::ranges::find_if(tables_.groups, same);
  if (found == tables_.groups.end()) {
    GroupRow row;
    row.id = ++last_id_;
    row.queue = open.queue;
    row.kind = open.kind;
    row.peer = open.peer;
    row.name = open.name;
    row.max_deliveries = open.default_max_deliveries;
    if (!find_stream(open.queue, open.kind, open.peer, 0)) make_stream(open.queue, open.kind, open.peer, 0);
    const driver::Start beside = start_beside(open.queue, open.kind, open.peer, *start);
    for (const StreamRow* stream : streams_of(row))
      row.next[stream->id] = position(*stream, stream->priority == 0 ? *start : beside);
    found = tables_.groups.emplace(row.id, std::move(row)).first;
    if (open.kind == "mailbox") ring(open.queue);
  }
  GroupRow& group = found->second;
  if (open.max_deliveries) group.max_deliveries = *open.max_deliveries;
  if (open.filter) group.filter = *open.filter;
  Completion answer;
  answer.id = group.id;
  answer.max_deliveries = group.max_deliveries;
  answer.filter = group.filter;
  return answer;
}

/// The first message that the start means, or where it will be.
Seq MemoryDatabase::position(const StreamRow& stream, const driver::Start& start) {
  using Kind = driver::Start::Kind;
  if (start.kind == Kind::oldest) return stream.tail();
  if (start.kind == Kind::now) return stream.head + 1;
  if (start.kind == Kind::seq) {
    const auto found = stream.messages.lower_bound(start.seq);
    return found == stream.messages.end() ? stream.head + 1 : found->first;
  }
  const StoreTime time = start.kind == Kind::time ? start.time : now() - start.age;
  const auto found = std::ranges::find_if(stream.messages, [&](const auto& row) { return row.second->stored >= time; });
  return found == stream.messages.end() ? stream.head + 1 : found->first;
}

/// A sequence is that of priority 0; the others begin at the time of its message, or where it is gone with all they have.
driver::Start MemoryDatabase::start_beside(Id queue, const std::string& kind, const std::string& peer,
                                           const driver::Start& start) {
  if (start.kind != driver::Start::Kind::seq) return start;
  driver::Start beside;
  beside.kind = driver::Start::Kind::oldest;
  const StreamRow* first = find_stream(queue, kind, peer, 0);
  if (first == nullptr) return beside;
  if (first->head > 0 && start.seq > first->head) beside.kind = driver::Start::Kind::now;
  const auto found = first->messages.find(position(*first, start));
  if (found == first->messages.end()) return beside;
  beside.kind = driver::Start::Kind::time;
  beside.time = found->second->stored;
  return beside;
}

Completion MemoryDatabase::run(const driver::Locate& locate) {
  const auto start = driver::parse_start(locate.from);
  if (!start) return refuse(Code::invalid, "Option 'from': " + start.error().text());
  const auto stream = tables_.streams.find(locate.stream);
  if (stream == tables_.streams.end()) return refuse(Code::not_found, "No such stream.");
  Completion answer;
  answer.first = position(stream->second, *start);
  answer.head = stream->second.head;
  answer.tail = stream->second.tail();
  return answer;
}

/// Gives a dead letter back to the group it died in. @return false when that group is gone
bool MemoryDatabase::requeue(StreamRow& dead, Seq seq) {
  const std::string& properties = dead.messages.at(seq)->properties;
  const driver::DeadFrom from = driver::dead_from(properties);
  const QueueRow* queue = find_queue(from.queue);
  for (auto& [id, group] : tables_.groups) {
    if (!queue || group.queue != queue->id || to_text(group.title()) != from.group) continue;
    dead.requeued.insert(seq);
    retry(id, {0, dead.id, seq, seq, 0, now(), {}, from.priority});
    return true;
  }
  return false;
}

Completion MemoryDatabase::run(const Steer& steer) {
  if (steer.verb == Verb::trim) return trim(steer);
  if (steer.verb == Verb::seek) return seek(steer);
  if (steer.verb == Verb::drop_group) return drop_group(steer);
  const QueueRow* dead_queue = find_queue(steer.queue + ".dead");
  StreamRow* dead = dead_queue ? find_stream(dead_queue->id, "main", "", 0) : nullptr;
  QueueRow* queue = find_queue(steer.queue);
  if (!queue) return refuse(Code::not_found, "There is no queue '" + steer.queue + "'.");
  std::vector<Seq> meant;
  if (dead)
    for (const auto& [seq, row] : dead->messages)
      if ((steer.seq == 0 || steer.seq == seq) && !dead->requeued.contains(seq) &&
          (steer.group.empty() || steer.group == driver::dead_from(row->properties).group))
        meant.push_back(seq);
  if (meant.empty() && steer.seq != 0) return refuse(Code::not_found, "There is no such dead letter.");
  Completion answer;
  for (const Seq seq : meant) {
    if (steer.verb == Verb::dead_requeue) {
      answer.count += requeue(*dead, seq) ? 1 : 0;
    } else {
      dead->messages.erase(seq);
      ++queue->counters["skipped"];
      ++answer.count;
    }
  }
  return answer;
}

driver::GroupStats MemoryDatabase::stats(const GroupRow& group) const {
  driver::GroupStats stats;
  stats.name = to_text(group.title());
  stats.filter = group.filter;
  stats.trimmed = group.trimmed;
  u64 fresh = 0;
  for (const StreamRow* stream : streams_of(group))
    for (auto it = stream->messages.lower_bound(group.next_of(stream->id)); it != stream->messages.end(); ++it)
      fresh += offered(group, *stream, it->first) ? 1 : 0;
  for (const auto& [id, claim] : tables_.claims) {
    if (claim.lease.group != group.id) continue;
    for (std::size_t i = 0; i < claim.size(); ++i)
      if (!claim.is_done(i) && !is_gone(tables_.streams.at(claim.lease.stream), claim.lease.first + i)) ++stats.claimed;
  }
  for (const auto& [key, row] : group.retries)
    for (Seq seq = row.first; seq <= row.last; ++seq)
      stats.retrying += is_gone(tables_.streams.at(row.stream), seq) ? 0 : 1;
  stats.depth = fresh + stats.claimed + stats.retrying;
  for (const StreamRow* stream : streams_of(group)) {
    if (stream->priority == 0) stats.position = std::max(floor(group, *stream), stream->tail());
    const auto needed = stream->messages.lower_bound(floor(group, *stream));
    if (needed == stream->messages.end()) continue;
    const StoreTime stored = needed->second->stored;
    stats.oldest = stats.oldest == StoreTime{} ? stored : std::min(stats.oldest, stored);
  }
  return stats;
}

driver::QueueStats MemoryDatabase::stats(const QueueRow& queue, bool mailboxes) {
  driver::QueueStats stats;
  stats.name = queue.name;
  stats.declared = queue.declared;
  stats.tail = 1;
  for (const auto& [id, stream] : tables_.streams) {
    if (stream.queue != queue.id) continue;
    stats.messages += stream.messages.size();
    for (const auto& [key, row] : tables_.delayed) stats.delayed += row.stream == id ? 1 : 0;
    for (const auto& [seq, row] : stream.messages) stats.bytes += row->body.size();
    if (stream.kind != "main" || stream.priority != 0) continue;
    stats.head = stream.head;
    stats.tail = stream.tail();
  }
  for (const auto& [id, group] : tables_.groups)
    if (group.queue == queue.id && (mailboxes || group.kind != "mailbox" || this->stats(group).depth > 0))
      stats.groups.push_back(this->stats(group));
  stats.counters.assign(queue.counters.begin(), queue.counters.end());
  const QueueRow* dead_queue = find_queue(queue.name + ".dead");
  const StreamRow* dead = dead_queue ? find_stream(dead_queue->id, "main", "", 0) : nullptr;
  if (dead) stats.dead = dead->messages.size() - dead->requeued.size();
  return stats;
}

Completion MemoryDatabase::run(const driver::Inspect& inspect) {
  Completion answer;
  for (const auto& [id, queue] : tables_.queues)
    if (inspect.queue.empty() || inspect.queue == queue.name) answer.queues.push_back(stats(queue, inspect.mailboxes));
  if (!inspect.queue.empty() && answer.queues.empty())
    return refuse(Code::not_found, "There is no queue '" + inspect.queue + "'.");
  std::ranges::sort(answer.queues, {}, &driver::QueueStats::name);
  return answer;
}

Completion MemoryDatabase::run(const driver::Check&) {
  Completion answer;
  answer.findings.push_back({driver::Finding::Level::ok, "memory", "All is in memory.", ""});
  return answer;
}

}  // namespace vtx::test
