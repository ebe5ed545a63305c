/* SPDX-License-Identifier: MPL-2.0 */
//
// The sending part of a worker: a reply goes to the mailbox of whoever asked, in one transaction with the settlement of its request. So a request is
// answered once: whose request is another's by now stores nothing.
#pragma once

#include "store/consumer.hpp"
#include "store/producer.hpp"

namespace vtx {

class Replier final : public Producer {
 public:
  Replier(Engine& engine, const LinkOptions& options, LinkStats& stats, LinkEvents& events,
          std::shared_ptr<Consumer> requests)
      : Producer(engine, options, stats, events), requests_(std::move(requests)) {}

 private:
  bool seal(std::span<const Frame> frames, Item& item) override;
  std::size_t envelope_of(std::span<const Frame> frames) const override;
  void address(Items items, std::vector<driver::Message> messages, driver::Commit& commit) const override;
  void wake(Items items) const override;
  void on_stored(Items items, const driver::Completion& answer) override;
  void on_given_up(const Item& item, const std::string& why) override;

  const std::shared_ptr<Consumer> requests_;
};

}  // namespace vtx
