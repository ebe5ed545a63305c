/* SPDX-License-Identifier: MPL-2.0 */
//
// One who is attached, as the owner sees it: a connection and the session of the database behind it.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "remote/holder_book.hpp"
#include "remote/inbox.hpp"
#include "remote/outbox.hpp"
#include "remote/peer_process.hpp"
#include "remote/poller.hpp"
#include "vtx/driver/store.hpp"

namespace vtx::remote {

/// What guests have in common; outlives them.
struct GuestHome {
  Poller& poller;
  HolderBook& book;
  const driver::Endpoint& endpoint;
  const driver::Clock& clock;
  FileId database;  ///< which one the owner has open
  std::function<std::unique_ptr<driver::Store>(const std::string& process)> session;
};

/// Confined to the owner's driver thread.
///
/// Memory is bounded whatever the other side does: nothing more is read of it while what waits to go out, what it has asked, and what the answers
/// may hold come to more than kFull. An answer whose size nobody knows before is waited for alone. News that has no room becomes one `changed` that
/// means everything.
class Guest {
 public:
  static constexpr std::size_t kFull = std::size_t{16} << 20;

  /// What a poller's key says beside the guest's number.
  enum class Part : u64 { socket, session, process };
  static u64 key(Keeper number, Part part) { return number << 2 | static_cast<u64>(part); }

  /// @param number  its keeper in the book, and in the poller's keys; never 0
  Guest(Fd socket, PeerProcess process, Keeper number, const GuestHome& home);
  ~Guest();
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  /// False without descriptors left.
  bool watch();
  Keeper number() const { return number_; }
  /// Nothing more will come of it.
  bool ended() const { return state_ == State::ended; }
  /// It said that its session ends in order.
  bool said_goodbye() const { return goodbye_; }
  /// The process behind it; an invalid descriptor when that is unknown.
  Fd take_process();

  /// Its connection has news: what has come waits for take_all().
  void fill();
  /// Its connection has ended: what it still said is to be taken before what others say.
  bool hung_up() const { return hung_up_; }
  /// Submits what was asked.
  void take_all();
  /// Its session may have answers: sends them.
  void answer();
  /// Its session has news, or the connection takes more.
  void expect_answer() { expects_answer_ = true; }
  bool wants_answer() const;
  /// After so long it must be looked at, by tend().
  driver::Ms next_look() const;
  void tend();
  /// In order: what has come is still heard, a goodbye above all; what the session has answered is sent as far as it goes at once, then `lost`.
  void close(const Status& why);
  /// Its process is gone.
  void drop() { end(); }
  /// Ends the session of one that has ended; its holders go on.
  void finish();

 private:
  enum class State { greeting, open, ended };
  struct Asked {
    std::unique_ptr<std::byte[]> bytes;  // what the operation's bodies are slices of
    std::size_t weight = 0;
  };

  void take(const Inbox::Frame& frame);
  void greet(Slice content);
  void ask(Slice content);
  void refuse(const Status& why);
  void pass_on(driver::Completion& completion);
  void poll_session();
  void flush();
  void end();
  void watch_socket();
  std::size_t load() const { return outbox_.size() + weight_; }

  const Keeper number_;
  const GuestHome& home_;
  Fd socket_;
  PeerProcess process_;
  State state_ = State::greeting;
  const driver::Steady greeted_by_;
  Inbox inbox_;
  Outbox outbox_;
  std::uint32_t watched_ = EPOLLIN;
  std::map<u64, Asked> asked_;
  std::size_t weight_ = 0;    // of asked_
  bool missed_news_ = false;  // `changed` that had no room
  bool hung_up_ = false;
  bool goodbye_ = false;
  bool expects_answer_ = false;
  std::unique_ptr<driver::Store> session_;
  driver::Steady poll_by_ = driver::Steady::max();  // what the session said after its last poll()
  std::vector<driver::Completion> completions_;
};

}  // namespace vtx::remote
