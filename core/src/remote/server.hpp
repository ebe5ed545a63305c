/* SPDX-License-Identifier: MPL-2.0 */
//
// The owner's side: lets others of this user attach to the database, each with a session of its own, and knows when their holders have ended.
#pragma once

#include <map>
#include <memory>

#include "remote/guest.hpp"
#include "remote/socket_name.hpp"
#include "vtx/driver/shared_store.hpp"

namespace vtx::remote {

/// Confined to the owner's driver thread. A turn is receive(), then whatever else the owner does with the database, then answer().
class Server {
 public:
  /// So many may be attached at a time: each takes memory (Guest::kFull) and some descriptors.
  static constexpr std::size_t kMostGuests = 256;

  /// Only for who has the database. All but the listener outlive it.
  Server(Listener listener, driver::OwnedDatabase& database, HolderBook& book, const driver::Endpoint& endpoint,
         const driver::Clock& clock);
  /// close()
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// False without descriptors left.
  bool valid() const { return valid_; }
  /// Readable when there is something to do.
  int fd() const { return poller_.fd(); }
  driver::Ms next_poll() const;

  /// Takes what has come from everybody, and submits it.
  void receive();
  /// Polls the sessions and sends what they answer.
  void answer();
  /// Nobody can come any more, and who is there is told that it is over; who has said goodbye is still heard.
  void close(const Status& why);

 private:
  void accept_all();
  void look_for_socket();
  bool take(const epoll_event& event);
  void process_ended(Keeper number);
  void reap();
  void end_holders(Keeper number);
  void listen(bool yes);

  driver::OwnedDatabase& database_;
  HolderBook& book_;
  const driver::Clock& clock_;
  Poller poller_;
  const GuestHome home_;
  std::unique_ptr<Listener> listener_;
  bool valid_ = false;
  Keeper last_number_ = 0;
  std::map<Keeper, std::unique_ptr<Guest>> guests_;
  std::map<Keeper, Fd> cut_off_;  // whose connection ended without goodbye: their processes, while they have holders
  driver::Steady listens_again_ = driver::Steady::max();  // without descriptors left, later
  driver::Steady looks_again_;                            // whether the socket's file is still there
};

}  // namespace vtx::remote
