/* SPDX-License-Identifier: MPL-2.0 */
//
// What operations.hpp asks of a store, done on the books and the messages: one function an operation, which runs whole before the next one.
// Nothing here waits, locks or writes to the disk; database.hpp does. An operation that is refused has changed nothing.
#pragma once

#include "message_log.hpp"
#include "unsynced.hpp"
#include "vtx/driver/options.hpp"
#include "waiting.hpp"

namespace vtx::rocks {

using driver::Completion;

/// The answer that refuses an operation.
inline Completion refuse(Code code, std::string text) {
  Completion answer;
  answer.status = Status(code, std::move(text));
  return answer;
}

/// One thread at a time. Throws DiskError.
class Ledger {
 public:
  /// @param flush  writes what waits in the disk's batch, so that it can be read
  Ledger(Books& books, MessageLog& log, Disk& disk, Waiting& waiting, const driver::Clock& clock,
         std::function<void()> flush);

  /// Before each operation: all that it does is of one time.
  /// @param next_sync  the number of the sync in which this write would be
  void begin(u64 next_sync);
  /// The sync that the answer of this operation has to wait for; 0 none.
  u64 sync() const { return sync_; }
  /// All up to this number have been done.
  void synced(u64 number) { unsynced_.done(number); }
  /// It looks for messages, and so must find those that were appended or erased before it: plain appends and acknowledgements need no look at the disk.
  bool reads_disk(const driver::Operation& operation) const;
  Completion run(const driver::Commit& commit);
  Completion run(const driver::OpenQueue& open);
  Completion run(const driver::OpenStream& open);
  Completion run(const driver::OpenGroup& open);
  Completion run(const driver::ListPeers& list);
  Completion run(const driver::Hold& hold);
  Completion run(const driver::Forget& forget);
  Completion run(const driver::ClaimNext& wish);
  Completion run(const driver::StopWaiting& stop);
  Completion run(const driver::Locate& locate);
  Completion run(const driver::Read& read);
  Completion run(const driver::Beat& beat);
  Completion run(const driver::TakeOver& take);
  Completion run(const driver::Tend& tend);
  Completion run(const driver::Steer& steer);
  Completion run(const driver::Inspect& inspect);
  Completion run(const driver::Check& check);

  /// All claims end as if their holders had died, all holders end, and ids go on where none was given out.
  void begin_epoch(u64 epoch, u64 mark);
  /// They have ended, by a clean stop or with their process.
  void end_holders(std::span<const Id> holders);

 private:
  // commit.cpp
  Status check(const driver::Commit& commit) const;
  Status check_room(const driver::Commit& commit, Completion& answer) const;
  driver::QueueLimit load_of(const StreamRow& stream) const;
  void remember(const driver::Commit& commit, const Completion& answer);
  void append(const driver::Append& append, Completion& answer);
  std::vector<driver::Message> choose(StreamRow& stream, const driver::Append& append);
  const StreamRow* target_of(const driver::Append& append, bool create);
  void count(Id queue, const std::string& what, u64 by);
  // settle.cpp
  bool settle(const driver::Settle& settle);
  void settle_one(const ClaimKey& key, const ClaimRow& claim, Seq seq, const driver::Odd* odd);
  void give_back(Id group, const ClaimRow& claim, const std::vector<Seq>& unseen);
  bool bury(Id group, const ClaimRow& claim, Seq seq, const std::string& reason);
  void finish(const ClaimRow& claim, Seq seq);
  const StreamRow& dead_stream_of(const QueueRow& queue);
  Completion steer_letters(const driver::Steer& steer);
  bool requeue(const StreamRow& dead, Seq seq, const std::string& properties);
  // delayed.cpp
  void delay(StreamRow& stream, const driver::Message& message);
  bool fire(Id stream);
  bool fire(const std::vector<const StreamRow*>& streams);
  std::optional<Ms> delayed_in(const StreamRow& stream);
  // claim.cpp
  void retry(Id group, u64 priority, StoreTime due, RetryRow row);
  Completion repeat_claim(const GroupRow& group, Id id);
  bool is_offered(const GroupRow& group, const StreamRow& stream, Seq seq) const;
  Seq next_offered(const GroupRow& group, const StreamRow& stream, Seq from, Seq to) const;
  void lease(const driver::ClaimNext& wish, ClaimRow range, Completion& answer);
  bool lease_retry(const driver::ClaimNext& wish, const GroupRow& group, u64 priority, Completion& answer);
  bool lease_fresh(const driver::ClaimNext& wish, const GroupRow& group, const StreamRow& stream, Completion& answer);
  void look_ahead(const GroupRow& group, Completion& answer);
  /// Copies messages of from..to into one buffer of the engine, as many as the limit allows.
  /// @param whole  damage is an error even where some lie before it
  void hand_over(const StreamRow& stream, Seq from, Seq to, const driver::Limit& limit, const GroupRow* group,
                 Completion& answer, bool whole = false);
  // holders.cpp
  bool lives(Id holder) const;
  bool has_vanished(Id holder) const;
  void end_holder(Id id);
  void end_holders();
  void release(Id queue, const std::string& what);
  u64 remove_mailbox(Id queue, const std::string& peer);
  // locate.cpp
  Seq position(const StreamRow& stream, const driver::Start& start);
  driver::Start start_beside(Id queue, const std::string& kind, const std::string& peer, const driver::Start& start);
  // retention.cpp
  Seq floor(Id group, const StreamRow& stream) const;
  Seq floor(const StreamRow& stream, const driver::Retention& retention);
  void let_go(Id stream, Seq least, bool spares_groups, Completion& answer);
  void leave_behind(const GroupRow& group, const StreamRow& stream, Seq was);
  void count_trimmed(const GroupRow& group, u64 by);
  Completion trim(const driver::Steer& steer);
  void forget_producers();
  // groups.cpp
  Completion seek(const driver::Steer& steer);
  Completion drop_group(const driver::Steer& steer);
  const GroupRow* named_group(const driver::Steer& steer) const;
  bool is_used(const GroupRow& group) const;
  u64 pass_over(const GroupRow& group, const StreamRow& stream, Seq end) const;
  void end_deliveries(const GroupRow& group);
  // inspect.cpp
  u64 fresh_of(const GroupRow& group, const StreamRow& stream, Seq end) const;
  driver::GroupStats stats(const GroupRow& group) const;
  driver::QueueStats stats(const QueueRow& queue, bool mailboxes) const;
  // check.cpp
  driver::Finding check_streams() const;

  StoreTime now() const { return now_; }

  Books& books_;
  MessageLog& log_;
  Disk& disk_;
  Waiting& waiting_;
  const driver::Clock& clock_;
  std::function<void()> flush_;
  Unsynced unsynced_;
  // Of the operation.
  StoreTime now_{};
  u64 next_sync_ = 0, sync_ = 0;
};

}  // namespace vtx::rocks
