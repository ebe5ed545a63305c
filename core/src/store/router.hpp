/* SPDX-License-Identifier: MPL-2.0 */
//
// The sending part of a ROUTER: a message goes to the mailbox of the peer that the application named. With full=drop the application is never
// held up, as by libzmq: what would be too much while the store is away is dropped, counted and told of.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "pattern/routes.hpp"
#include "store/producer.hpp"

namespace vtx {

class Router final : public Producer {
 public:
  struct Limits {
    bool blocks = false;
    std::size_t messages = 1000;  ///< a peer: the socket's ZMQ_SNDHWM; 0 any number
  };
  /// @param self     whose mailbox answers go to
  Router(Engine& engine, const LinkOptions& options, LinkStats& stats, LinkEvents& events,
         std::shared_ptr<Routes> routes, const std::string& self, Limits limits);
  /// Called when messages were for a peer that has no mailbox any more.
  void when_gone(std::function<void()> call) { gone_ = std::move(call); }

  bool ready() const override { return limits_.blocks ? Producer::ready() : !given_up(); }

 private:
  bool seal(std::span<const Frame> frames, Item& item) override;
  void address(Items items, std::vector<driver::Message> messages, driver::Commit& commit) const override;
  void wake(Items items) const override;
  void on_stored(Items items, const driver::Completion& answer) override;
  void on_given_up(const Item& item, const std::string& why) override;
  bool is_too_much(const std::string& peer, const Item& item);
  void on_over(const Item& item);

  const std::shared_ptr<Routes> routes_;  // shared: with the link, which makes them
  std::string sender_;
  const Limits limits_;
  std::function<void()> gone_;
  std::unordered_map<std::string, std::size_t> waiting_;  ///< messages taken and not stored, by peer
  std::size_t waiting_bytes_ = 0;
  bool dropping_ = false;  ///< and it has been told
};

}  // namespace vtx
