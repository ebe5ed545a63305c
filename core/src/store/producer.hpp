/* SPDX-License-Identifier: MPL-2.0 */
//
// The sending part of a link: natural group commit. While one commit runs, the next batch gathers; an idle link commits at
// once. A commit is repeated under the same counter until its answer is known, so the store recognises one whose answer was lost.
// Requests (requester.hpp) and replies (replier.hpp) are derived from it.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bridge/frame_list.hpp"
#include "codec/properties.hpp"
#include "endpoint/endpoint.hpp"
#include "store/engine.hpp"
#include "store/link_stats.hpp"
#include "vtx/driver/frames.hpp"

namespace vtx {

/// Confined to its driver thread. Shared with the answer that is still on its way to it, which borrows the bodies.
class Producer : public std::enable_shared_from_this<Producer> {
 public:
  Producer(Engine& engine, const LinkOptions& options, LinkStats& stats, LinkEvents& events);
  virtual ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// Queue and stream are open in the store under these ids: commits begin, or go on.
  /// @param stream  0 for one that writes to mailboxes only
  /// @param kind  of the stream: main, up, down
  void open(driver::Id queue, driver::Id stream, const std::string& kind);
  /// The session is gone, and with it the stream's id: the next database under this name may be another.
  void on_lost();
  /// The link ends without waiting for a commit that is out: its answer finds neither counters nor events any more.
  void drop() { dropped_ = true; }
  /// What was taken and is not stored will not be, as far as this link is concerned.
  void give_up();
  /// In the store under which its commits are recognised; nullopt when there was none.
  std::optional<std::array<std::byte, 16>> watermark() const;

  /// Takes messages only while it could commit them: what is not taken waits in the pipe, where the high-water mark counts it.
  virtual bool ready() const;
  /// Receiving a message: fill spare(), keep(more); the message is complete with the frame that has no more.
  zmq_msg_t* spare() { return gathering().frames.spare(); }
  /// @param source  as Pipe::source()
  void keep(bool more, const std::string& source = {});

  /// Commits what has gathered, unless a commit runs. True when something was submitted.
  bool commit();
  /// There may be room in the queue, if it was full.
  void on_room();
  const std::string& queue_name() const { return options_.queue; }
  driver::Id stream() const { return stream_; }
  bool is_open() const { return open_; }
  /// Everything taken is durable, as `durability` says.
  bool idle() const { return done_ == taken_ && untold_ == 0 && !telling_; }
  std::uint64_t taken() const { return taken_; }
  /// Of these, what is durable or was refused.
  std::uint64_t done() const { return done_; }
  /// Why messages were refused since this was last asked; ok when none was.
  Status take_refusal() { return std::exchange(refusal_, {}); }
  /// What holds commits up; ok when nothing does.
  const Status& trouble() const { return trouble_; }

 protected:
  struct Item {
    std::size_t first_frame = 0;
    driver::u32 frames = 0;
    std::size_t bytes = 0;
    SentProperties properties;
    std::string peer;        ///< whose mailbox it goes to; empty: to the stream
    driver::Id claim = 0;    ///< of a reply: where its request is
    driver::u32 offset = 0;  ///< of the request, in its claim
  };
  using Items = std::span<const Item>;

  /// A message was received whole: `frames` are those of the item, its peer the source. False: it is not to be stored, and that has been told.
  virtual bool seal(std::span<const Frame> frames, Item& item);
  /// How many of them are envelope.
  virtual std::size_t envelope_of(std::span<const Frame>) const { return 0; }
  /// Where the items go, and what is settled with them. `messages` are theirs, in the same order.
  virtual void address(Items items, std::vector<driver::Message> messages, driver::Commit& commit) const;
  /// A consumer of this engine that waits for these items may ask for them.
  virtual void wake(Items) const { engine_.on_changed(options_.queue, kind_); }
  virtual void on_stored(Items, const driver::Completion&) {}
  /// Counts messages that nobody will ever store; the store keeps the number.
  void count_refused(driver::u64 n);
  /// It will not be stored.
  virtual void on_given_up(const Item&, const std::string& /*why*/) {}

  bool given_up() const { return given_up_; }
  driver::Id queue() const { return queue_; }
  Engine& engine() const { return engine_; }
  LinkStats& stats() { return stats_; }
  LinkEvents& events() { return events_; }

 private:
  struct Batch {
    FrameList frames;
    std::vector<Item> items;
    std::size_t bytes = 0;
    std::size_t done = 0;            ///< items stored or refused
    bool frozen = false;             ///< submitted once: it is repeated as it was, or the store would not know it again
    bool singly = false;             ///< one of it is refused: item by item, to find which
    std::size_t at_most = 0;         ///< items of the next commit, since the queue has room for no more; 0 all
    std::vector<std::byte> encoded;  ///< bodies of several frames, joined
    std::size_t next() const;        ///< items of the next commit
    void clear();
  };

  Batch& gathering();
  Frame frame_of(Batch& batch, std::size_t index) const;
  void take_properties(std::vector<Frame>& frames, Item& item);
  driver::Append& append_to(int priority, driver::Commit& commit) const;
  std::vector<driver::Message> messages_of(Batch& batch);
  void on_committed(driver::Completion& answer);
  void tell_refused();
  void on_told(driver::u64 told, const Status& status);
  void on_trouble(const Status& why);
  void on_full(const driver::Completion& answer);
  void on_calm();
  void recover();
  void on_refused(const Status& why);
  void on_done(std::size_t count);

  Engine& engine_;
  const LinkOptions options_;
  const SentProperties defaults_;
  LinkStats& stats_;
  LinkEvents& events_;
  bool open_ = false;
  driver::Id queue_ = 0;
  driver::Id stream_ = 0;
  std::string kind_;
  std::array<std::byte, 16> id_{};
  driver::u64 counter_ = 0;                     ///< of the commit at the front
  std::deque<std::unique_ptr<Batch>> batches_;  ///< front: being committed, or next
  std::vector<std::unique_ptr<Batch>> spare_;
  std::size_t open_frame_ = 0;  ///< where the message that is being received begins
  std::size_t open_bytes_ = 0;
  std::vector<Frame> parts_;  ///< of the message at hand
  bool committing_ = false;
  bool dropped_ = false;
  bool given_up_ = false;
  bool priority_told_ = false;
  Timers::Token again_ = 0;
  driver::u64 untold_ = 0;  ///< refused messages that the store has not counted
  bool telling_ = false;    ///< a commit that says so is out
  bool waits_for_room_ = false;
  bool full_told_ = false;
  Timers::Token calm_ = 0;  ///< the queue was full, and is not while this runs
  Status trouble_;
  std::uint64_t taken_ = 0;
  std::uint64_t done_ = 0;
  Status refusal_;
};

}  // namespace vtx
