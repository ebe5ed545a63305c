/* SPDX-License-Identifier: MPL-2.0 */
//
// One bind or connect of one socket on a store: joins the counterpart (libzmq's side) to a Producer or a Receiver (the
// store's side), and knows how a link begins and ends.
//
//   opening   queue, stream and group are being opened; no counterpart yet, or already one (the store is slow)
//   open      messages flow
//   closing   the application let go: what it sent is made durable within its linger, what it did not settle is given back
//   done      to be deleted
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bridge/batch_registry.hpp"
#include "bridge/pipe.hpp"
#include "manager/call.hpp"
#include "manager/link_peers.hpp"
#include "manager/link_request.hpp"
#include "manager/monitor.hpp"
#include "pattern/request.hpp"
#include "store/engine.hpp"
#include "store/producer.hpp"
#include "store/receiver.hpp"
#include "vtx/vtx.h"

namespace vtx {

class HeldName;

/// What a link needs of its driver thread.
struct LinkHome {
  void* zmq_context;
  std::shared_ptr<ReleaseQueue> releases;
  pthread_t reaper;
  pthread_t driver;
  BatchRegistry& registry;
  Monitors& monitors;
  std::function<void(int)> unwatch;  ///< a descriptor is about to go
};

/// Confined to its driver thread. Shared with answers and posts that are on their way to it.
class Link : public std::enable_shared_from_this<Link>, public Member, public LinkEvents {
 public:
  Link(LinkRequest request, Engine& engine, const LinkHome& home);
  ~Link() override;

  /// Opens queue, stream and group; `opened` is called once: when they are, or with what waiting cannot cure.
  void start(std::function<void(Status)> opened);
  void attach(std::unique_ptr<Pipe> pipe);
  /// The application's socket can reach all peers that the store knew. At once where there is but one.
  void when_reachable(std::function<void()> reachable);

  /// The counterpart's descriptor is readable.
  void on_readable() { look_ = true; }
  /// Moves what can be moved. True when anything was.
  bool pump();

  /// Answers when all that was sent before is durable.
  void flush(std::shared_ptr<Call<Status>> call);
  /// Answers a flush that the application waits for no longer, with what holds it up.
  void cancel_flush(const std::shared_ptr<Call<Status>>& call);
  /// Decides a message in the application's hands by its Delivery-Id. False when there is none.
  bool decide(std::string_view delivery_id, Outcome outcome, std::uint32_t delay_ms);

  // The end, as an application thread steps through it: begin_close; it disconnects its socket; on_disconnected;
  // it lets its socket process that, which releases what was unread; give_back.
  void begin_close(int linger_ms);
  void on_disconnected();
  /// @param unread_told  what of it was not received is known by now
  void give_back(bool unread_told);
  /// After begin_close(), in place of the other steps: the application closes its socket, which tells what was not received.
  void await_close() { awaits_close_ = true; }
  /// The instance ends while the application's socket is still there: what it has sent so far is all there is.
  void detach();
  /// Ends at once, without the store.
  void drop();
  /// The instance ends: nothing more can be done for what this link received, since the store is away.
  bool hopeless() const { return !engine_.live() && (all_sent() || linger_over_ || engine_.gave_up()); }

  bool closing() const { return phase_ >= Phase::closing; }
  bool given_back() const { return !receiver_ || receiver_->done(); }
  bool done() const { return phase_ == Phase::done; }
  /// It has, or had, the application's socket: attach() was called.
  bool joined() const { return joined_; }
  const LinkRequest& request() const { return request_; }
  /// The inproc addresses of the counterpart; empty before attach() and after the end
  std::vector<std::string> addresses() const { return pipe_ ? pipe_->addresses() : std::vector<std::string>(); }
  /// Something that was handed over lies in the application's pipe or hand, whether or not it is settled.
  std::chrono::microseconds busy_poll() const { return request_.endpoint.options.busy_poll; }
  bool has_lent() const { return gate_ && gate_->lent() > 0; }
  /// See Pipe.
  bool outlives_disconnect() const { return pipe_ && pipe_->outlives_disconnect(); }
  void add_stats(vtx_stats_t& stats) const;
  /// As Receiver::position().
  driver::Seq position() const { return receiver_ ? receiver_->position() : 0; }

  void on_live() override;
  void on_epoch(const std::string& what) override;
  void on_lost(const Status& why, std::optional<driver::Ms> retry) override;
  void on_taken_over(driver::Id holder, driver::u64 claims) override;
  void on_link_event(int code, const std::string& sentence) override;

 private:
  enum class Phase { opening, open, closing, done };
  struct Flush {
    std::shared_ptr<Call<Status>> call;
    std::uint64_t target = 0;  ///< taken messages to wait for; unknown until the pipe was seen empty
    bool known = false;
  };

  int state() const;
  std::shared_ptr<HeldName> make_name();
  void open_queue();
  void take_name(driver::Id queue);
  void open_sides(driver::Id queue);
  void open_producer();
  void on_side_open(const Status& status);
  void opening_failed(const Status& status);
  bool has_arrived();
  bool deliver();
  bool send_next();
  bool is_late(const Slot& slot) const;
  bool aim(const Slot& slot);
  void make_frame(Slot& slot, std::size_t part, zmq_msg_t* frame);
  bool hand_over(Slot& slot);
  void split(Slot& slot);
  void add_address(const Slot& slot);
  void decide_releases();
  bool send_frames(Slot& slot);
  std::string properties_of(const Slot& slot) const;
  void send_properties(const std::string& text);
  void return_pending();
  void close_pipe();
  bool take();
  void look();
  bool has_room(std::size_t lent) const;
  bool fullness_is_over() const;
  void take_subscriptions();
  void notice_close();
  void probe();
  void on_probed();
  void on_context_terminated();
  void answer_flushes();
  void abandon(bool counted);
  bool all_sent() const;
  bool finish();
  bool depart();
  void on_linger_expired();
  void monitor(int event, int value = 0);

  const LinkRequest request_;
  Engine& engine_;
  const LinkHome& home_;
  LinkStats stats_;
  std::unique_ptr<Pipe> pipe_;
  std::shared_ptr<Gate> gate_;
  std::shared_ptr<Receiver> receiver_;
  Filter filter_;  ///< what the application's socket has subscribed to
  std::shared_ptr<Producer> producer_;
  std::unique_ptr<LinkPeers> peers_;  ///< of a ROUTER
  Phase phase_ = Phase::opening;
  std::function<void(Status)> opened_;
  int sides_opening_ = 0;
  Timers::Token reopen_ = 0;
  bool joined_ = false;
  bool look_ = false;        ///< the pipe may have news
  bool pipe_full_ = false;   ///< wait for the descriptor before sending again
  bool pipe_empty_ = false;  ///< everything in the pipe has been taken
  bool awaits_close_ = false;
  bool pipe_gone_ = false;       ///< the application's end is gone, or the context
  int probes_ = 0;               ///< of the reaper, still to be sent
  bool probe_due_ = false;       ///< the next, once the pipe is empty
  bool detached_ = false;        ///< an empty pipe is the end
  std::optional<bool> abandon_;  ///< once the replies in the pipe are taken; whether counted
  driver::Id queue_ = 0;
  std::shared_ptr<HeldName> name_;  ///< null where any number may be what this link is
  int departing_ = 0;               ///< answers to wait for
  bool departed_ = false;
  int linger_ms_ = -1;
  Timers::Token linger_ = 0;
  bool linger_over_ = false;
  bool given_up_ = false;  ///< what was not stored when it was
  std::vector<Flush> flushes_;
  std::vector<Frame> parts_;    ///< frames of the message being handed over
  std::size_t first_lent_ = 0;  ///< the parts before it are copied: letting go of them says nothing
  AddressFrame address_{};      ///< of a request: the first part
  Slot* pending_ = nullptr;     ///< lent, but its first frame found the pipe full
  zmq_msg_t pending_frame_{};   ///< that frame
  std::string trouble_told_;    ///< the trouble that the monitor knows of
};

}  // namespace vtx
