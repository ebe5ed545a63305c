/* SPDX-License-Identifier: MPL-2.0 */
//
// What the engine asks of a store and what the store answers: plain data, no behaviour, so that the same
// operations can be carried to a store in another process. docs/decisions/0001-store-interface.md tells how
// each is meant to be done on SQLite, Postgres and RocksDB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vtx/driver/clock.hpp"
#include "vtx/driver/status.hpp"

namespace vtx::driver {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

using Seq = u64;  ///< position in a stream: 1, 2, … without holes; 0 none
using Id = u64;   ///< queue, stream, group, claim, holder; 0 none. Claim and holder ids are never used again.

inline constexpr u32 kMaxBatch = 4096;                      ///< messages an Append or a claim holds at most
inline constexpr std::size_t kMaxBatchBytes = 1024 * 1024;  ///< bytes of bodies likewise, or one message
inline constexpr int kHighestPriority = 9;                  ///< streams of one kind have priorities from 0 up

/// Fetch at most so much; always at least one message when there is one.
struct Limit {
  u32 messages = kMaxBatch;
  u64 bytes = kMaxBatchBytes;
};

/// A message on its way into or out of a store. Does not own its bytes.
struct Message {
  std::span<const std::byte> body;  ///< `frames` 1: the frame itself; else per frame u32 big-endian length, bytes
  u32 frames = 1;
  std::string_view properties;  ///< `Name: value` lines, each ended by \n; empty none
  Ms delay{};                   ///< appending: become visible so much later
  Ms ttl{};                     ///< appending: expire so much after that; 0 never
  Seq origin = 0;               ///< appending for a forward: sequence at the source; 0 none
  Seq seq = 0;                  ///< read: its position
  StoreTime stored{};           ///< read: when it was appended, by the store's clock
  StoreTime expires{};          ///< read: when it expires; epoch 0 never
};

/// The ending of one message that is no plain acknowledgement.
enum class Verdict : std::uint8_t {
  filtered,  ///< settled, passed over by a subscription; counted
  expired,   ///< settled, its ttl was over; counted
  dead,      ///< settled, copied to QUEUE.dead with group and reason; counted
  nacked,    ///< back into the group's retry, counted as delivered, due after `delay`
  unseen,    ///< back into the group's retry, this delivery uncounted, due after `delay`
};

struct Odd {
  u32 offset = 0;  ///< message `first + offset` of the claim
  Verdict verdict = Verdict::nacked;
  Ms delay{};          ///< nacked, unseen: not before
  std::string reason;  ///< nacked, dead: for people; empty none
};

/// Settlements of one claim. Idempotent: only bits that the store did not yet have act.
struct Settle {
  Id group = 0;
  Id claim = 0;
  std::vector<u64>
      done;  ///< bit i (word i/64, bit i%64): message first+i is settled or given back; joins those of earlier ones. All set closes the claim.
  std::vector<Odd> odd;  ///< every new bit that is no plain acknowledgement (older ones may be repeated)
};

/// Messages for one stream, in order.
struct Append {
  Id stream = 0;  ///< of priority 0; 0: the mailbox of `peer` in `queue`; without one they are counted as undeliverable
  std::vector<Message> messages;
  std::string origin;  ///< forward: "store/epoch/stream/group"; skip messages with origin <= its mark, move the mark
  int only_if = -1;    ///< stored only if settles[only_if] is not fenced (a reply and its request)
  Id queue = 0;
  std::string peer{};
  int priority =
      0;  ///< 0..kHighestPriority; above 0 they go to the stream of that priority beside `stream`, made when there is none
};

/// Messages that became of nothing before they were in a queue: for its counters.
struct Tally {
  Id queue = 0;
  std::string what;  ///< refused, expired
  u64 n = 0;
};

/// One transaction. Submitted again with the same producer and counter it has no further effect and the same answer. What would fill a
/// queue over its limit (mailboxes have none) is refused as a whole: full. Later, or with fewer messages (Completion::room), it may fit.
struct Commit {
  std::array<std::byte, 16> producer{};  ///< link incarnation
  u64 counter = 0;                       ///< its nth commit, 1 …; 0: settles only, no watermark
  bool sync = true;                      ///< on disk before the completion; false: survives the process only
  std::vector<Append> appends;
  std::vector<Settle> settles;
  std::vector<Tally> tallies{};
};

/// What the creator of a queue declares.
struct Declaration {
  std::string retain;  ///< as in the endpoint: consumed, forever, an age, N, a size
  std::string
      limit;  ///< N, a size: of what waits in each direction (main, up, down), delayed messages and all priorities; empty none
  bool operator==(const Declaration&) const = default;
};

/// Finds or creates a queue. Answers id; not_found; mismatch (declared otherwise and not `change`).
struct OpenQueue {
  std::string queue;
  std::optional<std::string> retain;  ///< declared by this link
  std::optional<std::string> limit;   ///< declared by this link
  Declaration defaults;               ///< used where nothing is declared and the queue is created
  bool create = true;
  bool change = false;                ///< a declaration that differs changes the queue (bind side) instead of mismatch
  std::vector<std::string> groups{};  ///< on main: made with the queue, or where `change`; a missing one is a mismatch
  /// What the link is there, as one word: "bind:REP". The queue remembers it; mismatch when it remembers one of `excludes`, too.
  std::string role{};
  std::vector<std::string> excludes{};
};

/// Finds or creates a stream. Answers id, head, fork; not_found.
struct OpenStream {
  Id queue = 0;
  std::string kind;  ///< main up down mailbox
  std::string peer;  ///< mailbox: whose
  int priority = 0;
  bool create = true;
};

/// Finds or creates a group on the queue's streams of `kind`. Answers id, max_deliveries, filter.
struct OpenGroup {
  Id queue = 0;
  std::string kind;  ///< main up down mailbox
  std::string peer;  ///< mailbox: whose
  std::string name;
  std::string from;                   ///< where a new group begins: see Locate
  std::optional<std::string> filter;  ///< subscription set, encoded by core: replaces what is stored
  std::optional<u32> max_deliveries;  ///< declared by this link: replaces what is stored
  u32 default_max_deliveries = 10;    ///< for a new group
};

/// The peers of a queue that have a mailbox with a group, in the order in which they came. Answers peers and more; with none, head: an `after` for next time.
struct ListPeers {
  Id queue = 0;
  Id after = 0;            ///< Peer::id of the last one known; 0 none
  bool anonymous = false;  ///< only those that nobody can come back as
  bool wait = false;       ///< if it found none, `changed` tells of the next one
};

/// Takes or releases a name that one holder may have in a queue. Answers ok, busy, or fenced: that holder has ended. A name whose
/// holder is known to have ended is free. When the name of an anonymous peer (names.hpp) is released, or its
/// holder has ended and nobody took the name over for a minute, its mailbox is removed, and what nobody has read of it counted as undeliverable.
struct Hold {
  Id queue = 0;
  std::string what;  ///< "peer:X", "pair:up", "forward:G"
  Id holder = 0;
  bool release = false;
};

/// A link has ended in order, all its commits answered: its watermark is of no use any more.
struct Forget {
  std::array<std::byte, 16> producer{};
};

/// Leases the next range of a group to a holder. Answers claim and messages, or none. First delayed messages that are due are appended to
/// the group's streams, in the order of their times, as many as one call may. The highest priority that has anything goes first.
/// Within one, what the group must have again and is due comes before what is fresh: what needs no waiting in the order of its stream, as
/// far as the store can, then what was delayed, by its time.
struct ClaimNext {
  Id group = 0;
  Id holder = 0;
  Limit limit;
  bool alone = false;      ///< the holder has nothing else of this group in hands: may get a redelivered message
  bool uncounted = false;  ///< if the holder dies with this claim, this delivery does not count
  /// The holder's nth claim, 1 …. Asked again with the same number, because the answer was lost with the session, it is the same claim
  /// again while that is open. A store whose answers cannot be lost may ignore it.
  u64 number = 0;
};

/// This session claims nothing more of the group: what `changed` would tell it after a vain ClaimNext is for others.
struct StopWaiting {
  Id group = 0;
};

/// Where in a stream to begin. Answers first, head, tail.
struct Locate {
  Id stream = 0;
  std::string
      from;  ///< oldest, now (after the newest), seq:N, time:RFC 3339, -AGE ("-15m": so long ago); by the store's clock
};

/// Reads without leasing. Answers messages, head, tail; when it found none, due_in.
struct Read {
  Id stream = 0;
  Seq from = 1;
  Limit limit;
  bool wait = false;  ///< if it found no message, `changed` tells of the next one in this stream
};

/// Shows that `holder` lives; holder 0 becomes a new one. Answers id and the other holders that have open claims.
struct Beat {
  Id holder = 0;
  Ms lease{};
};

/// Moves the claims of a holder believed dead into retry, unless its beat moved since `seen`. Answers count of claims taken.
struct TakeOver {
  Id holder = 0;
  u64 seen = 0;
};

/// Background work on one queue: append delayed messages that are due, retire what retention lets go. Bounded; answers declared, and more
/// when some is left.
struct Tend {
  std::string queue;
};

enum class Verb : std::uint8_t { dead_requeue, dead_drop, seek, drop_group, trim };
/// An operator's intervention. Answers count of messages touched; not_found. Trimming is bounded: it answers more when it is to be asked again.
///
/// seek: the group goes on at `from` in each of its streams, and first and head of the one with priority 0 are answered. Its claims and
/// retries end: what is settled late is fenced, and nothing from before comes unless `from` says so. count: what it had not settled and now
/// passes over, which is counted as skipped.
/// drop_group: cursor, claims and retries go, and retention need not wait for them any more; of a mailbox all goes. busy while a holder that
/// lives has claims of it, or the name of the mailbox's peer, unless `force`. count: what it had not settled, which is counted as skipped, of a
/// mailbox as undeliverable.
struct Steer {
  Verb verb = Verb::dead_requeue;
  std::string queue;  ///< dead_*: the queue whose dead letters are meant, without .dead
  std::string group;  ///< seek, drop_group: as to_text(GroupName) calls it
  Seq seq = 0;        ///< dead_*: sequence in QUEUE.dead, 0 all
  /// trim: what lies before goes from each of the queue's main streams, settled or not, as if retention took it. See Locate.
  std::string from = "oldest";
  std::optional<u64> keep = std::nullopt;  ///< trim: all but the newest so many of each; `from` is ignored then
  bool force = false;                      ///< drop_group: also while somebody uses it
};

/// Looks at one queue, or at all when empty. Answers queues. Creates nothing.
struct Inspect {
  std::string queue;
  bool mailboxes = false;  ///< also those with nothing in them
};

/// Looks for what goes wrong in practice. Answers findings.
struct Check {};

using Operation = std::variant<Commit, OpenQueue, OpenStream, OpenGroup, ListPeers, Hold, Forget, ClaimNext,
                               StopWaiting, Locate, Read, Beat, TakeOver, Tend, Steer, Inspect, Check>;

struct Peer {
  Id id = 0;  ///< greater than those of all that came before
  std::string name;
};

/// A leased range of one stream.
struct Claim {
  Id id = 0;
  Id group = 0;
  Id stream = 0;
  Seq first = 0;
  Seq last = 0;
  u32 delivery = 1;    ///< 1: first time
  std::string reason;  ///< delivery > 1: why the one before failed
  int priority = 0;    ///< of the stream; of a requeued dead letter, that of the stream it died in
};

struct HolderBeat {
  Id holder = 0;
  u64 count = 0;
  Ms lease{};
  bool dead = false;  ///< known to have ended (its process is gone): no need to wait for the lease
};

struct GroupStats {
  std::string name;    ///< to_text(GroupName)
  u64 depth = 0;       ///< messages not yet settled by this group
  u64 claimed = 0;     ///< of these, leased to a consumer now
  u64 retrying = 0;    ///< of these, waiting for redelivery
  u64 trimmed = 0;     ///< retired by age, count or size before the group had settled them
  std::string filter;  ///< as OpenGroup::filter; empty none
  Seq position = 0;    ///< in its stream of priority 0: the first that it may still need; 0 there is no such stream
  StoreTime oldest{};  ///< when the oldest message was stored that it has not settled; epoch: it has settled all
};

struct QueueStats {
  std::string name;
  Declaration declared;
  u64 messages = 0;                ///< retained
  u64 bytes = 0;                   ///< of their bodies
  Seq head = 0;                    ///< newest sequence of the main stream
  Seq tail = 0;                    ///< oldest retained
  u64 delayed = 0;                 ///< not yet due, and not among `messages`
  u64 dead = 0;                    ///< dead letters waiting in QUEUE.dead
  std::vector<GroupStats> groups;  ///< of mailboxes only those with something in them, unless asked for
  std::vector<std::pair<std::string, u64>>
      counters;  ///< dead_lettered, expired, filtered, refused, skipped, trimmed, undeliverable, …
};

struct Finding {
  enum class Level : std::uint8_t { ok, warning, error } level = Level::ok;
  std::string subject;  ///< "journal mode"
  std::string text;     ///< what was seen
  std::string remedy;   ///< what to do; empty when ok
};

/// Bytes that messages are slices of. Owned by the engine from the completion on, and never the database library's memory.
struct Buffer {
  std::unique_ptr<std::byte[]> bytes;
  std::size_t size = 0;
};

enum class Event : std::uint8_t {
  answer,  ///< of the operation `ticket`
  opened,  ///< ticket 0: the session is live
  lost,    ///< ticket 0: the session is gone; pending operations have been answered lost or in_doubt before
  /// ticket 0: in `changed` (empty: anywhere) others made messages claimable, or peers known, or delayed ones became so; or there is room again. Never missed
  /// after a ClaimNext, or a Read or ListPeers with `wait`, that found none (of a time earlier than its due_in, too), or a Commit that found the queue full.
  changed,
};

struct Completion {
  Event event = Event::answer;
  u64 ticket = 0;
  Status status;
  Id id = 0;
  Seq head = 0;       ///< newest sequence of the stream concerned
  Seq tail = 0;       ///< oldest retained; head + 1 when there is none
  Seq first = 0;      ///< Locate: the position; at most head + 1 unless a later one was asked for
  u64 count = 0;      ///< TakeOver, Steer, Tend: how many; Commit: messages for which there was no mailbox
  bool more = false;  ///< ClaimNext: more is claimable now; Tend: work is left; ListPeers: there are more
  /// OpenStream: the newest one that was there when the store last went back in time; none: it never did.
  std::optional<Seq> fork{};
  bool retry_waiting = false;  ///< ClaimNext: a redelivered message waits; empty your hands, then claim alone
  bool retry_later = false;    ///< ClaimNext: a redelivered message will wait later on
  std::optional<Ms> due_in;    ///< ClaimNext, Read: something may become claimable, or readable, after so long
  Limit room{0, 0};            ///< Commit refused as full: what its queue has room for
  std::optional<Claim> claim;  ///< ClaimNext
  Buffer buffer;               ///< ClaimNext, Read: what `messages` point into
  std::vector<Message>
      messages;             ///< ClaimNext, Read: in order; a sequence that is missing was removed (count it as settled)
  std::vector<u32> fenced;  ///< Commit: indexes into settles
  std::vector<HolderBeat> holders;  ///< Beat
  std::vector<Peer> peers;          ///< ListPeers
  u32 max_deliveries = 0;           ///< OpenGroup
  std::string filter;               ///< OpenGroup
  Declaration declared;             ///< OpenQueue, Tend
  std::string changed;              ///< Event::changed
  std::vector<Id> groups;           ///< Event::changed: only in these groups,
  std::vector<Id> streams;          ///< for readers of these streams,
  std::vector<Id> roomy;            ///< for producers of these streams,
  std::vector<Id> joined;           ///< and for who waits for peers of these queues; all four empty: for anybody
  std::vector<QueueStats> queues;   ///< Inspect
  std::vector<Finding> findings;    ///< Check
  /// Event::opened: which life of which store this is, only to be compared. Another one than before: it was exchanged, or went back in time.
  std::string epoch;
  bool went_back = false;  ///< Event::opened: that it went back in time was found out just now
};

}  // namespace vtx::driver
