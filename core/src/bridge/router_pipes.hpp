/* SPDX-License-Identifier: MPL-2.0 */
//
// A ROUTER's pipes: one DEALER a peer, whose routing id is the peer's, so that libzmq itself puts the identity before what comes from it,
// and routes by it. The application's socket is bound to an inproc address, to which peers can be joined from the driver's thread at any
// time. An own epoll set tells which of them have news: nothing here is done for every peer.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bridge/counterpart.hpp"
#include "util/fd.hpp"

namespace vtx {

class RouterPipes final : public Pipe {
 public:
  /// @param blocks  the application's socket blocks when a peer's pipe is full, instead of never finding it so
  static Result<std::unique_ptr<RouterPipes>> create(void* zmq_context, bool blocks);
  ~RouterPipes() override;

  Status join(void* application_socket) override;

  /// Joins a peer. Driver thread, as all that follows. no_space: no socket or descriptor is left.
  Status add(const std::string& identity);
  bool has(const std::string& identity) const { return peers_.contains(identity); }
  /// The peer goes, when what the application has sent to it was received.
  void remove(const std::string& identity);
  /// What is sent from now on comes from this peer, which was added.
  void aim(const std::string& identity) { aim_ = peers_.at(identity).get(); }

  std::vector<std::string> addresses() const override;
  std::vector<int> fds() const override;
  Io send(zmq_msg_t* frame, bool more) override;
  Io receive(zmq_msg_t* frame, bool* more) override;
  const std::string& source() const override { return source_; }
  void refresh() override;
  bool terminated() const override { return sentinel_->terminated() || terminated_; }
  bool writable() const override { return !gone() && writable_; }
  bool readable() const override { return !ready_.empty(); }
  bool has_sentinel() const override { return true; }
  bool gone() const override { return !sentinel_->writable(); }
  bool outlives_disconnect() const override { return true; }

 private:
  struct Peer {
    std::string identity;
    void* socket = nullptr;
    int fd = -1;
    bool queued = false;   ///< among the ready
    bool fresh = true;     ///< nothing came from it yet
    bool leaving = false;  ///< to be closed when there is nothing left to receive
    ~Peer();
  };

  RouterPipes(void* zmq_context, bool blocks, std::string address, std::unique_ptr<Counterpart> sentinel);
  void has_news(Peer& peer);
  int events_of(const Peer& peer);
  void look_for_news();
  void close(Peer& peer);
  bool is_probe(Peer& peer, const zmq_msg_t* frame, bool more);
  Io failed();

  void* const context_;
  const bool blocks_;
  const std::string address_;
  const std::unique_ptr<Counterpart> sentinel_;  ///< ceases to be writable when the application's socket goes
  Fd epoll_;
  std::unordered_map<std::string, std::unique_ptr<Peer>> peers_;
  std::deque<Peer*> ready_;  ///< that may have something to receive, each in turn
  Peer* aim_ = nullptr;
  std::string source_;
  bool writable_ = true;  ///< as far as the peer aimed at is concerned
  bool terminated_ = false;
};

}  // namespace vtx
