/* SPDX-License-Identifier: MPL-2.0 */
//
// What operations do to the tables, one source file a subject; SqliteStore provides the transaction around them.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "database.hpp"
#include "vtx/driver/names.hpp"
#include "vtx/driver/operations.hpp"
#include "vtx/driver/options.hpp"
#include "vtx/driver/roles.hpp"

namespace vtx::sqlite {

using driver::Completion;
using driver::Id;
using driver::Ms;
using driver::Seq;
using driver::StoreTime;
using driver::u32;
using driver::u64;

/// The rowid of a message; a stream's lie between its number and the next one's.
inline constexpr int kSeqBits = 43;
inline constexpr u64 row_of(Id stream, Seq seq) { return stream << kSeqBits | seq; }
inline constexpr Seq seq_of(u64 row) { return row & ((u64{1} << kSeqBits) - 1); }
inline constexpr Seq kMaxSeq = seq_of(~u64{0});  ///< of numbers from outside, which could reach into another stream

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();  ///< of times

/// Each apply() runs within a transaction that holds the write lock, checks before it writes, and puts a refusal into the completion's
/// status; what it throws (SqliteError) ends the transaction. ListPeers, Locate, Read and Inspect are content with a read transaction.
class Ledger {
 public:
  explicit Ledger(Database& database) : database_(database) {}

  /// Forgets all it remembers of an earlier session.
  void reset();
  /// Forgets what was not committed.
  void roll_back();
  /// Opens a transaction's books.
  void begin(StoreTime now);

  void apply(const driver::Commit& commit, Completion& out);
  void apply(const driver::OpenQueue& open, Completion& out);
  void apply(const driver::OpenStream& open, Completion& out);
  void apply(const driver::OpenGroup& open, Completion& out);
  void apply(const driver::ListPeers& list, Completion& out);
  void apply(const driver::Hold& hold, Completion& out);
  void apply(const driver::Forget& forget, Completion& out);
  void apply(const driver::ClaimNext& next, Completion& out);
  void apply(const driver::Tend& tend, Completion& out);
  void apply(const driver::Steer& steer, Completion& out);
  void apply(const driver::Locate& locate, Completion& out);
  void apply(const driver::Read& read, Completion& out);
  void apply(const driver::Inspect& inspect, Completion& out);

  /// Begins an epoch with this number: all claims end as if their holders had died, all holders end, and the numbers of both go on where none
  /// was ever given out.
  void begin_epoch(u64 epoch, u64 mark);
  /// Ends all claims of a holder: what it had not settled goes into retry. Answers how many claims.
  u64 take_over(Id holder);
  /// Who has claims of a group, or the name of the peer whose mailbox it is. Empty also when there is no such group.
  std::vector<Id> users_of(const std::string& queue, const driver::GroupName& group);
  /// The holder has ended, and so has what it held, an anonymous peer's mailbox a while later; its claims wait for take_over().
  void end_holder(Id holder);

  /// Groups for which this transaction made something claimable now.
  std::vector<Id> awakened();
  bool has_awakened() const { return !appended_.empty() || !retried_.empty() || !sooner_.empty() || !freed_.empty(); }
  /// Streams of priority 0 in whose directions there may be room again.
  std::vector<Id> freed();
  bool has_room(Id stream);
  /// The stream of priority 0 whose queue refused the latest commit that was.
  Id full() const { return full_; }
  /// Groups whose next message may come earlier than who waits for it knows; all of them must learn it.
  std::vector<Id> hastened();
  /// Streams of which the same is true.
  const std::set<Id>& sooner() const { return sooner_; }
  /// Streams that this transaction lengthened.
  const std::set<Id>& appended() const { return appended_; }
  /// Something of the group can be claimed now.
  bool is_claimable(Id group);
  /// When something becomes claimable for the group that is not now: a retry, or a delayed message.
  std::optional<std::int64_t> next_due(Id group);
  /// When the first delayed message comes into the stream.
  std::optional<std::int64_t> first_due(Id stream);
  std::int64_t time_in(Ms wait) const { return now_ + wait.count(); }
  /// Queues that this transaction gave a mailbox to.
  const std::set<Id>& joined() const { return joined_; }
  /// The queue has peers that came after this one.
  bool has_joined(Id queue, Id peer);
  /// The stream ends elsewhere: it has grown, or went back in time.
  bool has_changed(Id stream, Seq head) { return head_of(stream).last != head; }

 private:
  struct StreamInfo {
    Id queue;
    bool dead;  ///< of a dead-letter queue: an acknowledged message is deleted at once
  };
  struct Head {
    Seq last = 0;
    std::int64_t stored = 0;
    bool counted = false;  ///< the stream's row counts the bytes of its bodies
    driver::QueueLimit limit;
  };
  struct OpenClaim {
    Id id = 0, group = 0, stream = 0;
    Seq first = 0, last = 0;
    u32 delivery = 0;
    bool counted = true;  ///< false: the holder's death is not held against the messages
    int priority = 0;
    std::vector<std::uint8_t> done;
    u32 size() const { return static_cast<u32>(last - first + 1); }
    bool has(u32 offset) const { return (done[offset / 8] >> (offset % 8) & 1) != 0; }
    void set(u32 offset) { done[offset / 8] = static_cast<std::uint8_t>(done[offset / 8] | 1U << (offset % 8)); }
  };
  struct Range {
    Seq first, last;
  };
  /// What a stream's row says of its newest bodies.
  struct Size {
    Seq from = 0;  ///< they begin here
    u64 bytes = 0;
  };

  /// Why a stream is to be tended; what is higher is a reason wherever what is lower is.
  enum class Touch : std::uint8_t { appended, settled, unfinished };
  /// How far the turns of a queue's mailboxes have come, by their messages' age or by their names.
  struct Turn {
    std::string retain;      ///< for this they were begun
    bool all_seen = false;   ///< each has had its turn since
    Id stream = 0;           ///< age
    std::int64_t began = 0;  ///< likewise
    std::string peer;
    std::int64_t priority = 0;
    Id tended = 0;  ///< the stream at which the latest call came to its end
  };
  /// What a transaction took of a queue's streams that are to be tended, and where the turns stood before it.
  struct Taken {
    Turn turn;
    std::map<Id, Touch> streams;
  };

  /// A stream that a group reads.
  struct Source {
    Id stream;
    Seq from;  ///< fresh from here on
    int priority;
    std::int64_t due;  ///< its first delayed message
  };

  // ledger.cpp
  void touch(Id stream, Touch why);
  std::map<Id, Touch>& taken_of(Id queue);
  void add_groups_of(Id stream, std::set<Id>& groups);
  // append.cpp
  const StreamInfo* stream_info(Id stream);
  Id target_of(const driver::Append& append, bool create);
  Id sibling_of(Id stream, int priority, bool create);
  Head& head_of(Id stream);
  Status check(const driver::Commit& commit);
  // limit.cpp
  Status check_room(const driver::Commit& commit, Completion& out);
  driver::QueueLimit load_of(Id stream);
  void begin_limit(Id queue, const driver::QueueLimit& limit);
  // append.cpp
  bool is_repeated(const driver::Commit& commit);
  void answer_again(const driver::Commit& commit, Completion& out);
  void put(Id stream, const std::vector<driver::Message>& messages);
  void append(Id stream, const std::vector<driver::Message>& messages);
  void append_one(Id stream, const driver::Message& message);
  // delayed.cpp
  void delay(Id stream, const std::vector<driver::Message>& messages);
  // What one call appends at most: some milliseconds under the write lock.
  struct Budget {
    u64 rows = 1000;
    u64 bytes = driver::kMaxBatchBytes;
  };
  bool fire(Id stream, Budget& budget);
  void fire_all(Id queue, Completion& out);
  Ms time_until(std::int64_t due) const { return Ms(std::max<std::int64_t>(due - now_, 0)); }
  u64 drop_delayed(Id stream);
  // settle.cpp
  static OpenClaim read_claim(const Rows& rows);
  bool settle(const driver::Settle& settle);
  bool act_on_new(OpenClaim& claim, const driver::Settle& settle);
  const char* settle_one(const OpenClaim& claim, Seq seq, const driver::Odd* odd);
  void retry(const OpenClaim& claim, Range range, u32 delivered, Ms delay, const std::string& reason);
  void count(Id queue, Id group, const char* what, u64 n = 1);
  Id queue_of_group(Id group);
  // claim.cpp
  std::vector<Source> sources_of(Id group);
  std::int64_t next_retry(Id group, const std::vector<Source>& sources);
  bool claim_retry(const driver::ClaimNext& next, int priority, Completion& out);
  bool claim_fresh(const driver::ClaimNext& next, const Source& source, Completion& out);
  void move_cursor(Id group, Id stream, Seq next);
  void record_claim(const driver::ClaimNext& next, driver::Claim claim, Completion& out);
  Range read_range(Id stream, Range range, const driver::Limit& limit, Completion& out, bool& whole);
  void hand_over(Completion& out);
  // dead.cpp
  bool bury(const OpenClaim& claim, Seq seq, const std::string& reason);
  void remove_one(Id stream, Seq seq);
  Id dead_stream(const std::string& queue, bool create);
  u64 requeue(Id queue, Id stream, Seq seq, Completion& out);
  // declare.cpp
  std::string declare(const driver::OpenQueue& open, Completion& out);
  void open_groups(const driver::OpenQueue& open, bool known, Completion& out);
  Id make_queue(const std::string& name, const driver::Declaration& declared);
  void remember_role(const driver::OpenQueue& open, const std::string& roles, const Completion& out);
  Id find_stream(const driver::OpenStream& open);
  Id make_stream(const driver::OpenStream& open);
  Id find_group(Id queue, const driver::GroupName& group);
  Id make_group(const driver::OpenGroup& open, const driver::Start& start, const Completion& out);
  // groups.cpp
  void seek(const driver::Steer& steer, Completion& out);
  u64 pass_over(Id group, Id stream, Seq end);
  void drop_group(const driver::Steer& steer, Completion& out);
  void remove_group(Id group);
  // mailbox.cpp
  void release(Id queue, const std::string& what);
  u64 remove_mailbox(Id queue, const std::string& peer);
  // locate.cpp
  std::optional<Seq> next_at(Id stream, Seq from);
  Seq tail_of(Id stream);
  Seq first_stored(Id stream, Range among, std::int64_t time);
  Seq position(Id stream, const driver::Start& start);
  driver::Start start_beside(Id first, const driver::Start& start);
  // retention.cpp
  void forget_producers();
  void trim(const driver::Steer& steer, Completion& out);
  u64 retire(Id stream, const driver::Retention& retention, bool& more);
  Range step_of(Id stream);
  void retire_all(Id queue, const driver::Retention& retention, Completion& out);
  std::set<Id> streams_to_tend(Id queue, const driver::Retention& retention, Turn& turn, std::map<Id, Touch>& taken,
                               bool& more);
  void add_in_turn(Id queue, Turn& turn, std::set<Id>& streams, bool& more);
  void add_aged(Id queue, std::int64_t oldest, Turn& turn, std::set<Id>& streams, bool& more);
  Seq consumed_floor(Id stream);
  Seq age_floor(Id stream, Range step, Ms age, bool& more);
  Seq size_floor(Id stream, Range step, u64 amount, bool& more);
  void count_back(Id stream, Seq tail, u64 amount, Size& size);
  u64 remove(Id stream, Range range);
  void leave_behind(Id stream, Range removed);
  // inspect.cpp
  u64 rows_in(Id stream);
  u64 waiting_in(Id group);  ///< messages to be delivered again
  u64 claimed_in(Id group);  ///< messages in hands, not settled
  driver::QueueStats stats_of(Id queue, std::string name, bool mailboxes);
  void add_groups(Id queue, bool mailboxes, driver::QueueStats& stats);
  void add_place(Id group, driver::GroupStats& stats);
  Seq floor_of(Id group, Id stream, Seq next);
  void add_messages(Id stream, driver::QueueStats& stats);

  Database& database_;
  std::int64_t now_ = 0;
  std::unordered_map<Id, StreamInfo> streams_;    // never changes in the database
  std::unordered_map<Id, StreamInfo> mailboxes_;  // of this transaction: these come and go, and their ids with them
  std::map<Id, Head> heads_;                      // of this transaction
  std::set<Id> appended_;                         // streams
  std::set<Id> sooner_;                           // streams with a delayed message that is due before the others
  std::set<Id> retried_;                          // groups
  std::set<Id> joined_;                           // queues
  std::set<Id> freed_;                            // streams that lost messages
  // By queue, of this session: streams that are to be tended, and whose turn it is besides.
  std::map<Id, std::map<Id, Touch>> touched_;
  std::map<Id, Turn> turns_;
  std::map<Id, Taken> taken_;  // of both, by this transaction
  std::int64_t forgot_at_ = 0;
  Id full_ = 0;
  std::vector<std::byte> scratch_;
};

}  // namespace vtx::sqlite
