/* SPDX-License-Identifier: MPL-2.0 */
//
// The store-and-forward engine of one database: its session (connecting, live, lost, waiting), the way of an operation to the store
// and of its answer back. What links do with it is apart: producer.hpp sends, feed.hpp and consumer.hpp
// receive, reader.hpp looks,
// holder.hpp shows that we live and watches whether others do, tender.hpp does the background work.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "session/backoff.hpp"
#include "store/names.hpp"
#include "util/timers.hpp"
#include "vtx/driver/names.hpp"
#include "vtx/driver/store.hpp"

namespace vtx {

class Feed;
class Holder;
class PeerList;
class Producer;
class Reader;
class Tender;

/// A link as the engine sees it.
class Member {
 public:
  virtual ~Member() = default;
  /// The session is live: open queue, stream and group (again: the database may be another than before).
  virtual void on_live() = 0;
  /// Comes before on_live(): it is another database now, or the one that it was at an earlier time. Claims and positions of before mean nothing.
  virtual void on_epoch(const std::string& what) = 0;
  /// The session is gone, or could not be made; `retry` is when the next attempt comes, nullopt: never.
  virtual void on_lost(const Status& why, std::optional<driver::Ms> retry) = 0;
  /// Claims of a holder that died were taken over.
  virtual void on_taken_over(driver::Id holder, driver::u64 claims) = 0;
};

/// What the parts of one driver thread share.
struct Reactor {
  Timers& timers;
  const driver::Clock& clock;
};

/// Confined to its driver thread.
class Engine {
 public:
  using Answer = std::function<void(driver::Completion&)>;
  enum class State { connecting, live, waiting, failed };

  /// @param create  make the database when there is none
  Engine(std::unique_ptr<driver::Store> store, driver::Endpoint endpoint, bool create, Backoff backoff,
         Reactor reactor);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Begins the first session. A failure is one that waiting cannot cure, and the engine is then of no use.
  Status start();
  /// Ends the session, with every answer that is still out; then run() once more and delete.
  void stop();

  State state() const { return state_; }
  bool live() const { return state_ == State::live; }
  /// Not live, and with RECONNECT_IVL -1 nothing will be tried any more.
  bool gave_up() const { return state_ == State::failed || (state_ == State::waiting && retry_ == 0); }
  /// Tries once more if it gave up: somebody new wants it.
  void revive();
  /// Why it is not live; ok when it is, or nothing is known yet.
  const Status& trouble() const { return trouble_; }
  const driver::Endpoint& endpoint() const { return endpoint_; }
  Reactor& reactor() { return reactor_; }

  void add(Member* member);
  void remove(Member* member);
  /// A reader is told what on_changed() tells, until it is removed.
  void add(Reader* reader) { readers_.push_back(reader); }
  void remove(Reader* reader) { std::erase(readers_, reader); }
  /// A producer is told that there may be room in a queue that was full, until it is removed.
  void add(Producer* producer) { producers_.push_back(producer); }
  void remove(Producer* producer) { std::erase(producers_, producer); }
  void add(PeerList* list) { peer_lists_.push_back(list); }
  void remove(PeerList* list) { std::erase(peer_lists_, list); }
  bool has_members() const { return !members_.empty(); }

  /// Submits to the store; only while live. `answer` is called from run(), exactly once, also when the session is lost.
  void submit(driver::Operation operation, Answer answer);

  void on_taken_over(driver::Id holder, driver::u64 claims);
  /// Messages may have become claimable in `queue` (empty: anywhere). The store tells of what others did; what this
  /// engine did itself, its parts tell.
  void on_changed(const std::string& queue);
  /// Likewise in one stream of it: "main", "up", "down", "mailbox:PEER".
  void on_changed(const std::string& queue, const std::string& stream);

  /// A peer of the queue has been given a mailbox by this engine.
  void on_joined(const std::string& queue);

  /// Claims what is wanted, polls the store and hands out its answers. True when anything happened.
  bool run();
  int fd() const { return store_->fd(); }
  driver::Ms next_poll() const { return store_->next_poll(); }

  Holder& holder() { return *holder_; }
  Tender& tender() { return *tender_; }
  Names& names() { return names_; }
  /// The feed of a group of a queue, made when first asked for; it lives as long as anybody has it.
  std::shared_ptr<Feed> feed(const std::string& queue, const driver::GroupName& group);

 private:
  void on_event(driver::Completion& completion);
  void on_opened(driver::Completion& completion);
  void on_news(const driver::Completion& completion);
  void tell_feeds(const std::string& prefix);
  void on_lost(const Status& why);
  void connect();

  std::unique_ptr<driver::Store> store_;
  const driver::Endpoint endpoint_;
  bool create_;
  Backoff backoff_;
  Reactor reactor_;
  State state_ = State::connecting;
  std::string epoch_;  ///< of the newest session; empty before the first
  Status trouble_;
  Timers::Token retry_ = 0;
  std::vector<Member*> members_;
  std::vector<Reader*> readers_;
  std::vector<Producer*> producers_;
  std::vector<PeerList*> peer_lists_;
  driver::u64 last_ticket_ = 0;
  std::unordered_map<driver::u64, Answer> pending_;
  std::vector<driver::Completion> completions_;
  Names names_;
  std::unique_ptr<Holder> holder_;
  std::unique_ptr<Tender> tender_;
  std::map<std::string, std::weak_ptr<Feed>> feeds_;  ///< by queue, stream and group: see key_of()
};

}  // namespace vtx
