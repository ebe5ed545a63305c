/* SPDX-License-Identifier: MPL-2.0 */
#include "waiting.hpp"

namespace vtx::rocks {

using driver::Completion;

void Waiting::detach(Session& session) {
  sessions_.erase(&session);
  session.groups.clear();
  session.readers.clear();
  session.roomy.clear();
  session.peers.clear();
  session.news.clear();
}

/// Only who waits is told, and once: then it asks again.
void Waiting::tell(Session& session, Id queue, std::vector<Id> Completion::*what, std::set<Id>& waiting, Id id) {
  if (waiting.erase(id) == 0) return;
  const std::string& name = books_.queues.at(queue).name;
  Completion& news = session.news[name];
  news.event = driver::Event::changed;
  news.changed = name;
  (news.*what).push_back(id);
  session.wake();
}

void Waiting::ring_stream(const StreamRow& stream, bool caller_too) {
  for (Session* session : sessions_) {
    if (session == caller_ && !caller_too) continue;
    tell(*session, stream.queue, &Completion::streams, session->readers, stream.id);
    if (session->groups.empty()) continue;
    for (const Id group : books_.groups_of(stream))
      tell(*session, stream.queue, &Completion::groups, session->groups, group);
  }
}

void Waiting::ring_group(const GroupRow& group) {
  for (Session* session : sessions_)
    if (session != caller_) tell(*session, group.queue, &Completion::groups, session->groups, group.id);
}

void Waiting::ring_peers(const QueueRow& queue) {
  for (Session* session : sessions_)
    if (session != caller_) tell(*session, queue.id, &Completion::joined, session->peers, queue.id);
}

void Waiting::ring_room(const QueueRow& queue) {
  for (Session* session : sessions_)
    for (const Id id : std::set<Id>(session->roomy)) {
      const StreamRow* stream = books_.streams.find(id);
      if (!stream || stream->queue == queue.id) tell(*session, queue.id, &Completion::roomy, session->roomy, id);
    }
}

}  // namespace vtx::rocks
