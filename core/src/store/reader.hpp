/* SPDX-License-Identifier: MPL-2.0 */
//
// The receiver that only looks: a SUB without a subscription name reads the log from where its endpoint says, holds nothing back and leaves
// nothing behind. What the application does with a message is its own affair; a release only makes room.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "bridge/batch_registry.hpp"
#include "endpoint/endpoint.hpp"
#include "store/engine.hpp"
#include "store/link_stats.hpp"
#include "store/receiver.hpp"

namespace vtx {

class Reader final : public Receiver, public std::enable_shared_from_this<Reader> {
 public:
  /// @param from     where it begins, when it is opened for the first time
  /// @param largest  what it takes, in bytes; -1 any
  Reader(Engine& engine, const LinkOptions& options, std::string from, std::int64_t largest, std::shared_ptr<Gate> gate,
         BatchRegistry& registry, LinkStats& stats, LinkEvents& events);
  ~Reader() override;

  void open(driver::Id queue, Opened opened) override;
  void on_lost() override;
  void on_epoch() override;
  void set_filter(const Filter& filter) override;
  void close() override;
  void abandon(bool) override {}
  bool done() const override { return closing_ && !reading_; }
  void drop() override;
  Slot* front() override;
  void pop() override;
  void put_off(driver::Ms, const std::string&) override {}  // nobody has reason to
  bool work() override;
  void describe(const Slot& slot, std::string& properties) const override;
  bool decide(driver::Id, driver::Seq, Outcome, std::uint32_t) override { return false; }
  driver::Seq position() const override { return next_ > unsent_ ? next_ - unsent_ : 1; }
  std::uint64_t in_hand() const override { return in_hand_; }

  /// Messages may have been appended to the queue.
  void on_changed() {
    drained_ = false;
    ++changes_;
  }
  const std::string& queue() const { return options_.queue; }
  /// As Engine::on_changed() calls it.
  std::string stream_name() const { return peer_.empty() ? options_.log : options_.log + ':' + peer_; }
  /// In the store, in this session; 0 none.
  driver::Id stream() const { return stream_; }

 private:
  struct Fetched : Held {
    driver::u32 lent = 0;  ///< in the application's hands, as far as this thread has heard
    bool handed_over() const { return next == batch->messages().size(); }
  };

  void locate(Opened opened);
  void on_located(const driver::Completion& answer);
  bool went_back(const driver::Completion& answer);
  driver::u32 room() const;
  void on_read(driver::u64 changes, driver::Completion& answer);
  void keep(driver::Completion& answer);
  void decide(Held& held, Slot& slot) override;
  bool is_wanted(const driver::Message& message);
  Fetched* current();
  void pass(Fetched& batch);
  void forget(Fetched& batch);
  void on_caught_up();
  void tell_caught_up();

  Engine& engine_;
  const LinkOptions options_;
  const std::string from_;
  const std::int64_t largest_;
  const std::shared_ptr<Gate> gate_;
  BatchRegistry& registry_;
  LinkStats& stats_;
  LinkEvents& events_;
  const std::string peer_;  ///< whose mailbox is read; empty: it is none
  driver::Id stream_ = 0;
  bool placed_ = false;          ///< next_ is known
  bool other_epoch_ = false;     ///< next_ is a place of another one
  driver::Seq newest_seen_ = 0;  ///< head of the stream
  driver::Seq next_ = 1;         ///< what is read next
  Filter filter_;
  std::list<Fetched> batches_;
  std::uint64_t in_hand_ = 0;
  std::uint64_t unsent_ = 0;
  driver::u64 changes_ = 0;
  bool drained_ = false;  ///< the end was reached; wait for a change
  bool reading_ = false;  ///< a Read is out
  bool caught_up_ = false;
  bool caught_up_untold_ = false;
  driver::Seq first_live_ = 0;  ///< the first one after that
  driver::Seq newest_ = 0;      ///< once a read reached the head: the message that was it
  bool closing_ = false;
  bool dropped_ = false;  ///< the link has ended: its counters and events are no more
  bool troubled_ = false;
  Timers::Token again_ = 0;
};

}  // namespace vtx
