/* SPDX-License-Identifier: MPL-2.0 */
//
// The database behind MemoryStore, shared by several of them as a file is shared by several processes. Every
// operation is one function that runs whole under the mutex: read it as the meaning of operations.hpp.
#pragma once

#include <functional>
#include <mutex>
#include <span>

#include "support/memory_tables.hpp"
#include "vtx/driver/clock.hpp"
#include "vtx/driver/options.hpp"

namespace vtx::test {

/// How the database reaches one attached store. Guarded by the database's mutex.
struct Attachment {
  std::function<void()> wake;     ///< makes the store's descriptor readable
  std::set<std::string> changed;  ///< queues with news since the store looked last
  std::set<Id> holders;           ///< that the store's session brought forth
  bool cut = false;               ///< the session was ended from outside (power loss, a new epoch)
  u64 epoch = 0;                  ///< in which the session began
  bool went_back = false;         ///< that it went back in time was found when the session began
};

/// Thread-safe.
class MemoryDatabase {
 public:
  explicit MemoryDatabase(const driver::Clock& clock = driver::system_clock()) : clock_(clock) {}

  /// Keeps a copy of everything at each synced commit, for lose_power(). Costs time with large queues.
  void remember_synced();
  /// Goes back to the newest synced commit and cuts every session.
  void lose_power();

  /// A copy of everything, as a backup has it.
  Tables back_up();
  /// Puts the copy in place under whatever is at work. It is noticed with the next look at the database.
  void restore(const Tables& backup);

  /// @return not_found when nobody created the database yet and `create` is false
  Status attach(Attachment& store, bool create);
  /// Ends the store's session; with `ends_holders` as a clean stop does, else as a cut connection.
  void detach(Attachment& store, bool ends_holders);
  /// These have ended, whoever brought them forth.
  void end_holders(std::span<const Id> holders);
  /// Takes it for one owner, or gives it back (shared_store.hpp). False when somebody has it.
  bool own();
  void disown();
  /// How often anybody got it.
  u64 times_owned();
  /// Runs one operation to its end.
  driver::Completion run(Attachment& store, const driver::Operation& operation);
  /// Hands over what changed for the store since the last call, and whether its session was cut.
  std::set<std::string> take_changed(Attachment& store, bool& cut);

 private:
  // One function an operation; the mutex is held.
  driver::Completion run(const driver::Commit& commit);
  driver::Completion run(const driver::OpenQueue& open);
  driver::Completion run(const driver::OpenStream& open);
  driver::Completion run(const driver::OpenGroup& open);
  driver::Completion run(const driver::ListPeers& list);
  driver::Completion run(const driver::Hold& hold);
  driver::Completion run(const driver::Forget& forget);
  driver::Completion run(const driver::ClaimNext& wish);
  driver::Completion run(const driver::StopWaiting&) { return {}; }  // news go to all
  driver::Completion run(const driver::Locate& locate);
  driver::Completion run(const driver::Read& read);
  driver::Completion run(const driver::Beat& beat);
  driver::Completion run(const driver::TakeOver& take);
  driver::Completion run(const driver::Tend& tend);
  driver::Completion run(const driver::Steer& steer);
  driver::Completion run(const driver::Inspect& inspect);
  driver::Completion run(const driver::Check& check);

  // memory_commit.cpp
  Status check(const driver::Commit& commit) const;
  void append(const driver::Append& append, driver::Completion& answer);
  Seq append_row(StreamRow& stream, MessageRow row);
  bool settle(const driver::Settle& settle);
  void give_back(const ClaimRow& claim, const std::vector<Seq>& unseen);
  void settle_one(const ClaimRow& claim, Seq seq, const driver::Odd* odd);
  bool bury(const ClaimRow& claim, Seq seq, const std::string& reason);
  void finish(const ClaimRow& claim, Seq seq);

  driver::QueueLimit load_of(const StreamRow& stream) const;
  Status check_room(const driver::Commit& commit, driver::Completion& answer) const;

  // memory_delayed.cpp
  void delay(const StreamRow& stream, MessageRow row, driver::Ms by);
  bool fire(Id id);
  std::optional<driver::Ms> delayed_in(Id stream);
  u64 drop_delayed(Id stream);

  // memory_epoch.cpp
  bool begin_epoch_if_it_went_back();

  // memory_mailbox.cpp
  void end_holder(HolderRow& holder);
  void release(Id queue, const std::string& what);
  u64 remove_mailbox(Id queue, const std::string& peer);

  // memory_claim.cpp
  void retry(Id group, RetryRow row);
  void lease(const driver::ClaimNext& wish, const driver::Claim& range, driver::Completion& answer);
  bool lease_retry(const driver::ClaimNext& wish, int priority, StoreTime now, driver::Completion& answer);
  bool lease_fresh(const driver::ClaimNext& wish, const StreamRow& stream, driver::Completion& answer);
  void look_ahead(const GroupRow& group, StoreTime now, driver::Completion& answer);
  bool offered(const GroupRow& group, const StreamRow& stream, Seq seq) const;
  Seq next_offered(const GroupRow& group, const StreamRow& stream, Seq from, Seq to) const;
  std::vector<const StreamRow*> streams_of(const GroupRow& group) const;
  bool lives(Id holder) const;
  void end(Id holder);

  // memory_retention.cpp
  Seq floor(const GroupRow& group, const StreamRow& stream) const;
  Seq floor(const StreamRow& stream) const;
  Seq floor(const StreamRow& stream, const driver::Retention& retention);
  void let_go(StreamRow& stream, Seq least, bool spares_groups, driver::Completion& answer);
  driver::Completion trim(const driver::Steer& steer);
  void leave_behind(GroupRow& group, const StreamRow& stream, Seq seq);
  void cut_retries(GroupRow& group, const StreamRow& stream);
  void count_trimmed(GroupRow& group, u64 count);
  std::vector<GroupRow*> groups_of(const StreamRow& stream);

  // memory_groups.cpp
  driver::Completion seek(const driver::Steer& steer);
  driver::Completion drop_group(const driver::Steer& steer);
  GroupRow* find_group(const std::string& queue, const std::string& name);
  bool is_used(const GroupRow& group) const;
  u64 pass_over(const GroupRow& group, const StreamRow& stream, Seq end) const;
  void end_deliveries(GroupRow& group);

  // memory_queue.cpp
  QueueRow* find_queue(const std::string& name);
  QueueRow& make_queue(const std::string& name, driver::Declaration declared);
  StreamRow* find_stream(Id queue, const std::string& kind, const std::string& peer, int priority);
  StreamRow& make_stream(Id queue, const std::string& kind, const std::string& peer, int priority);
  StreamRow* target_of(const driver::Append& append, bool create);
  StreamRow& dead_stream_of(const QueueRow& queue);
  Seq position(const StreamRow& stream, const driver::Start& start);
  driver::Start start_beside(driver::Id queue, const std::string& kind, const std::string& peer,
                             const driver::Start& start);
  bool requeue(StreamRow& dead, Seq seq);
  driver::QueueStats stats(const QueueRow& queue, bool mailboxes);
  driver::GroupStats stats(const GroupRow& group) const;

  StoreTime now();
  void ring(Id queue);
  void ring_all(Id queue);

  const driver::Clock& clock_;
  std::mutex mutex_;
  // Guarded by mutex_.
  Tables tables_;
  std::optional<Tables> synced_;
  bool created_ = false;
  bool owned_ = false;
  u64 times_owned_ = 0;
  // Not in Tables, so that they outlive a backup and a loss of power: ids are never used again, and what goes back is noticed.
  Id last_id_ = 0;
  u64 newest_mark_ = 0;
  u64 last_epoch_ = 1;
  StoreTime newest_{};
  std::set<Attachment*> attached_;
  Attachment* caller_ = nullptr;
};

/// The answer that refuses an operation.
inline driver::Completion refuse(Code code, std::string text) {
  driver::Completion answer;
  answer.status = Status(code, std::move(text));
  return answer;
}

/// True for the names of dead-letter queues.
inline bool is_dead_queue(const std::string& name) { return name.ends_with(".dead"); }

}  // namespace vtx::test
