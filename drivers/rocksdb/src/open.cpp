/* SPDX-License-Identifier: MPL-2.0 */
//
// Queues, streams and groups are found or made, and places in streams are found.
#include "ledger.hpp"
#include "vtx/driver/roles.hpp"

namespace vtx::rocks {

using driver::OpenGroup;
using driver::OpenQueue;
using driver::OpenStream;

Completion Ledger::run(const OpenQueue& open) {
  const QueueRow* known = books_.find_queue(open.queue);
  if (!known && !open.create) return refuse(Code::not_found, "There is no queue '" + open.queue + "'.");
  Completion answer;
  answer.status = driver::check_role(open, known ? known->roles : "");
  if (!answer.status.ok()) return answer;
  const driver::Declaration declared = known ? known->declared : open.defaults;
  driver::Declaration wished{open.retain.value_or(declared.retain), open.limit.value_or(declared.limit)};
  if (is_dead_queue(open.queue)) wished = {"forever", ""};
  if (known && wished != declared && !open.change)
    return refuse(Code::mismatch, "Queue '" + open.queue + "' was declared with retain=" + declared.retain + ".");
  for (const std::string& name : open.groups)
    if (known && !open.change && !books_.find_group(known->id, {"main", "", name}))
      return refuse(Code::mismatch, "Queue '" + open.queue + "' was declared without the group '" + name + "'.");

  const Id id = known ? known->id : books_.make_queue(open.queue, declared).id;
  for (const std::string& name : open.groups)
    if (!books_.find_group(id, {"main", "", name})) (void)run(OpenGroup{id, "main", "", name, "oldest", {}, {}});
  const std::string roles = driver::with_role(books_.queues.at(id).roles, open.role);
  if (books_.queues.at(id).declared != wished || books_.queues.at(id).roles != roles) {
    QueueRow& queue = books_.queues.edit(id);
    queue.roles = roles;
    if (std::exchange(queue.declared, wished).limit != wished.limit) waiting_.ring_room(queue);
  }
  answer.id = id;
  answer.declared = wished;
  return answer;
}

Completion Ledger::run(const OpenStream& open) {
  if (!books_.queues.find(open.queue)) return refuse(Code::not_found, "No such queue.");
  const auto priority = static_cast<u64>(open.priority);
  const StreamRow* stream = books_.find_stream(open.queue, open.kind, open.peer, priority);
  if (!stream && !open.create) return refuse(Code::not_found, "No such stream.");
  if (!stream) stream = &books_.make_stream(open.queue, open.kind, open.peer, priority);
  Completion answer;
  answer.id = stream->id;
  answer.head = stream->head;
  answer.tail = stream->tail;
  answer.fork = stream->fork;
  return answer;
}

Completion Ledger::run(const OpenGroup& open) {
  const auto start = driver::parse_start(open.from.empty() ? "oldest" : open.from);
  if (!start) return refuse(Code::invalid, "Option 'from': " + start.error().text());
  if (!books_.queues.find(open.queue)) return refuse(Code::not_found, "No such queue.");
  const GroupRow* group = books_.find_group(open.queue, {open.kind, open.peer, open.name});
  if (!group) {
    // Looked for before anything is made, since looking may fail.
    const driver::Start beside = start_beside(open.queue, open.kind, open.peer, *start);
    std::map<Id, Seq> places;
    for (const StreamRow* stream : books_.streams_of(open.queue, open.kind, open.peer))
      places[stream->id] = position(*stream, stream->priority == 0 ? *start : beside);
    if (!books_.find_stream(open.queue, open.kind, open.peer, 0))
      places[books_.make_stream(open.queue, open.kind, open.peer, 0).id] = 1;
    GroupRow& made = books_.make_group(open.queue, {open.kind, open.peer, open.name});
    made.max_deliveries = open.default_max_deliveries;
    for (const auto& [stream, place] : places) books_.cursors.make({made.id, stream}).next = place;
    group = &made;
    if (open.kind == "mailbox") waiting_.ring_peers(books_.queues.at(open.queue));
  }
  if (open.max_deliveries && *open.max_deliveries != group->max_deliveries)
    books_.groups.edit(group->id).max_deliveries = *open.max_deliveries;
  if (open.filter && *open.filter != group->filter) books_.groups.edit(group->id).filter = *open.filter;
  Completion answer;
  answer.id = group->id;
  answer.max_deliveries = group->max_deliveries;
  answer.filter = group->filter;
  return answer;
}

/// The first message that the start means, or where it will be.
Seq Ledger::position(const StreamRow& stream, const driver::Start& start) {
  using Kind = driver::Start::Kind;
  switch (start.kind) {
    case Kind::oldest: return stream.tail;
    case Kind::now: return stream.head + 1;
    case Kind::seq: return log_.first_from(stream, start.seq);
    case Kind::time: return log_.first_since(stream, start.time);
    case Kind::age: return log_.first_since(stream, now() - start.age);
  }
  return stream.tail;
}

/// A sequence is that of priority 0; the others begin at the time of its message, or where it is gone with all they have.
driver::Start Ledger::start_beside(Id queue, const std::string& kind, const std::string& peer,
                                   const driver::Start& start) {
  if (start.kind != driver::Start::Kind::seq) return start;
  driver::Start beside;
  beside.kind = driver::Start::Kind::oldest;
  const StreamRow* first = books_.find_stream(queue, kind, peer, 0);
  if (!first) return beside;
  if (first->head > 0 && start.seq > first->head) beside.kind = driver::Start::Kind::now;
  const Seq place = position(*first, start);
  if (place > first->head) return beside;
  beside.kind = driver::Start::Kind::time;
  beside.time = log_.stored_at(*first, place);
  return beside;
}

Completion Ledger::run(const driver::Locate& locate) {
  const auto start = driver::parse_start(locate.from);
  if (!start) return refuse(Code::invalid, "Option 'from': " + start.error().text());
  const StreamRow* stream = books_.streams.find(locate.stream);
  if (!stream) return refuse(Code::not_found, "No such stream.");
  Completion answer;
  answer.first = position(*stream, *start);
  answer.head = stream->head;
  answer.tail = stream->tail;
  return answer;
}

}  // namespace vtx::rocks
