/* SPDX-License-Identifier: MPL-2.0 */
//
// The peers of a queue that have a mailbox, as a ROUTER's link must know them: those that were there, each that comes, and, of those that
// nobody can come back as, each that goes.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "store/engine.hpp"

namespace vtx {

/// Confined to its driver thread. Shared with answers that are on their way to it.
class PeerList : public std::enable_shared_from_this<PeerList> {
 public:
  struct Calls {
    std::function<void(const std::string& peer)> on_peer;  ///< may come again for one that is known
    std::function<void(const std::string& peer)> on_gone;
    std::function<void()> on_complete;  ///< all that were there when the session began have been told
  };

  PeerList(Engine& engine, std::string queue, Calls calls);
  ~PeerList();

  /// The queue is open, in each session again.
  void open(driver::Id queue);
  void on_lost() { queue_ = 0; }
  /// The link has ended.
  void close();

  const std::string& queue_name() const { return name_; }
  /// In the store, in this session; 0 none.
  driver::Id queue() const { return queue_; }
  /// Peers may have come.
  void on_changed();
  /// A message came from an anonymous peer, which may have gone already.
  void heard_of(const std::string& peer);
  /// Some anonymous peer seems to have gone.
  void look_for_gone();

 private:
  void ask();
  void on_answer(driver::Completion& answer);
  void ask_anonymous(driver::Id after);
  void on_anonymous(driver::Completion& answer);
  void plan_look(driver::Ms within);

  Engine& engine_;
  const std::string name_;
  const Calls calls_;
  bool closed_ = false;
  driver::Id queue_ = 0;
  driver::Id after_ = 0;
  std::uint64_t session_ = 0;  ///< answers of an earlier one mean nothing
  bool asking_ = false;
  bool changed_ = false;  ///< since it was asked
  std::set<std::string> anonymous_;
  std::set<std::string> suspects_;  ///< of them, not seen by the look that goes on
  bool looking_ = false;
  Timers::Token look_ = 0;
  driver::Steady look_due_;
  Timers::Token again_ = 0;
};

}  // namespace vtx
