/* SPDX-License-Identifier: MPL-2.0 */
//
// The sessions on a database, what each of them waits for, and who is told of what. A session is told of nothing that it did itself.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "books.hpp"

namespace vtx::rocks {

/// An operation that was submitted and not yet carried out.
struct Pending {
  u64 ticket;
  driver::Operation operation;
};

/// An answer that is given when the sync of this number is done.
struct Held {
  u64 sync;
  bool is_commit;  ///< otherwise it changed nothing that somebody would have to know
  driver::Completion answer;
};

/// One party on a database, with what it asked and what it is to be told.
struct Session {
  /// Makes its owner look at it.
  std::function<void()> wake;
  std::string process;  ///< whose its holders are
  std::vector<Pending> pending;
  std::vector<Held> answers;             ///< to what has been done, and not yet written
  std::vector<Held> held;                ///< to what has been written, and not yet synced
  std::vector<driver::Completion> done;  ///< to be given
  Status over;                           ///< why it ended
  // What it found nothing of.
  std::set<Id> groups;
  std::set<Id> readers;  ///< streams
  std::set<Id> roomy;    ///< streams that were full
  std::set<Id> peers;    ///< queues
  /// What it is to be told, by queue.
  std::map<std::string, driver::Completion> news;
  bool went_back = false;  ///< that the database went back in time was found when it came
};

class Waiting {
 public:
  explicit Waiting(const Books& books) : books_(books) {}

  void attach(Session& session) { sessions_.insert(&session); }
  void detach(Session& session);
  const std::set<Session*>& sessions() const { return sessions_; }
  /// Whose operation runs; null none.
  void set_caller(Session* caller) { caller_ = caller; }
  Session& caller() const { return *caller_; }

  /// Messages came into the stream, or a time before which all others come.
  void ring_stream(const StreamRow& stream, bool caller_too = false);
  /// Something of the group may be claimed now or later.
  void ring_group(const GroupRow& group);
  void ring_peers(const QueueRow& queue);
  /// There may be room again, whoever made it.
  void ring_room(const QueueRow& queue);

 private:
  void tell(Session& session, Id queue, std::vector<Id> driver::Completion::*what, std::set<Id>& waiting, Id id);

  const Books& books_;
  std::set<Session*> sessions_;
  Session* caller_ = nullptr;
};

}  // namespace vtx::rocks
