/* SPDX-License-Identifier: MPL-2.0 */
//
// The sending part of a DEALER: every message says whose mailbox an answer goes to, and so who it is from.
#pragma once

#include "pattern/request.hpp"
#include "store/producer.hpp"

namespace vtx {

class Dealer final : public Producer {
 public:
  Dealer(Engine& engine, const LinkOptions& options, LinkStats& stats, LinkEvents& events, const std::string& peer)
      : Producer(engine, options, stats, events) {
    add_property(sender_, kReplyTo, peer);
  }

 private:
  bool seal(std::span<const Frame>, Item& item) override {
    item.properties.kept.insert(0, sender_);
    return true;
  }

  std::string sender_;
};

}  // namespace vtx
