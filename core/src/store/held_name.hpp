/* SPDX-License-Identifier: MPL-2.0 */
//
// A name that one link may have at a time: that of the peer it is, or a side of a pair. Neither another link of this engine has it nor, in the
// store, another holder. With its own goes the mailbox of an anonymous peer.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "endpoint/endpoint.hpp"
#include "store/engine.hpp"

namespace vtx {

/// Confined to its driver thread. Shared with answers that are on their way to it.
class HeldName : public std::enable_shared_from_this<HeldName> {
 public:
  using Answer = std::function<void(const Status&)>;

  /// @param what     as Hold::what
  /// @param in_use   the sentence for a link that must wait
  /// @param on_free  another link of this engine had it, and has it no more: take() again
  HeldName(Engine& engine, const LinkOptions& options, std::string what, std::string in_use,
           std::function<void()> on_free);

  /// Takes it, in each session again. Answers busy while it is another's.
  void take(driver::Id queue, Answer answer);
  /// The link has ended in order. Calls back when the store knows.
  void release(std::function<void()> done);
  /// The link has ended. What the store has of the name ends with the holder, if it was not released.
  void drop();

 private:
  void hold(const Answer& answer);
  void submit_release(std::function<void()> done);
  Status busy() const { return Status(Code::busy, in_use_); }

  Engine& engine_;
  const LinkOptions options_;
  const std::string what_;
  const std::string in_use_;
  const std::string key_;
  const std::function<void()> on_free_;
  driver::Id queue_ = 0;
  driver::Id holder_ = 0;  ///< that has it in the store; 0 none
  bool joined_ = false;
  bool waiting_ = false;  ///< for another link of this engine
  bool ended_ = false;
};

}  // namespace vtx
