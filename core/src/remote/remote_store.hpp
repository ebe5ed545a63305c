/* SPDX-License-Identifier: MPL-2.0 */
//
// A store whose database another store has: operations go to that one over a Unix socket, answers come back.
#pragma once

#include <map>
#include <vector>

#include "remote/inbox.hpp"
#include "remote/outbox.hpp"
#include "remote/peer_process.hpp"
#include "remote/poller.hpp"
#include "vtx/driver/store.hpp"

namespace vtx::remote {

/// Confined to its driver thread. A session is one connection; `opened` comes with the owner's epoch.
///
/// When the connection ends, commits that have left whole are answered in_doubt, all else lost; then `lost` comes. Whatever is submitted is
/// copied: of a cut connection nothing is read any more that was borrowed.
class RemoteStore final : public driver::Store {
 public:
  explicit RemoteStore(const driver::Clock& clock = driver::system_clock());
  ~RemoteStore() override;
  RemoteStore(const RemoteStore&) = delete;
  RemoteStore& operator=(const RemoteStore&) = delete;

  /// Nobody listening is `lost` later. denied when the owner is another user's.
  Status start(const driver::Endpoint& endpoint, bool create) override;
  void submit(u64 ticket, driver::Operation operation) override;
  void poll(std::vector<driver::Completion>& out) override;
  int fd() const override { return poller_.fd(); }
  driver::Ms next_poll() const override;
  /// Says goodbye, so that the holders of this session end at once, if the owner can be told without waiting.
  void stop() override;

 private:
  enum class State {
    closed,
    greeting,  ///< connected: whether the owner will have us is not known yet
    opening,   ///< it will, and opens a session
    live,
  };
  struct Asked {
    bool commit = false;
    u64 end = 0;  ///< what Outbox::left() is when all of it has left
  };

  Status connect(const driver::Endpoint& endpoint);
  void receive();
  void take(const Inbox::Frame& frame);
  void take_welcome(Slice content);
  void take_answer(Slice content);
  void flush();
  void wait_to_send(bool wait);
  void refuse(u64 ticket, Status status);
  void disconnect(const Status& why);
  void lose(Status why);
  void event(driver::Event what, Status status);
  void hand_over(std::vector<driver::Completion>& out);

  const driver::Clock& clock_;
  Poller poller_;
  Bell bell_;  // for what is to be said without any news from the owner
  State state_ = State::closed;
  Fd socket_;
  PeerProcess owner_;
  Inbox inbox_;
  Outbox outbox_;
  bool waits_to_send_ = false;
  driver::Steady greeted_by_{};
  std::map<u64, Asked> asked_;
  std::vector<driver::Completion> ready_;
};

}  // namespace vtx::remote
