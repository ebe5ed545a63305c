/* SPDX-License-Identifier: MPL-2.0 */
//
// The sending part of an asker: every request says where its reply goes, and by what it is known.
#pragma once

#include "pattern/request.hpp"
#include "store/producer.hpp"

namespace vtx {

class Requester final : public Producer {
 public:
  Requester(Engine& engine, const LinkOptions& options, LinkStats& stats, LinkEvents& events,
            std::shared_ptr<Asker> asker)
      : Producer(engine, options, stats, events), asker_(std::move(asker)) {}

 private:
  bool seal(std::span<const Frame> frames, Item& item) override;
  std::size_t envelope_of(std::span<const Frame> frames) const override;

  const std::shared_ptr<Asker> asker_;
};

}  // namespace vtx
