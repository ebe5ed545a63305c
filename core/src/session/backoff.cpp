/* SPDX-License-Identifier: MPL-2.0 */
#include "session/backoff.hpp"

#include <algorithm>
#include <utility>

namespace vtx {

using driver::Ms;

Backoff::Backoff(Ms interval, Ms most, Random random)
    : never_(interval < Ms(0)),
      interval_(std::max(interval, Ms(1))),
      most_(most),
      random_(std::move(random)),
      base_(interval_) {}

std::optional<Ms> Backoff::next() {
  if (never_) return std::nullopt;
  const Ms jitter(static_cast<Ms::rep>(random_() % static_cast<std::uint64_t>(interval_.count())));
  if (most_ <= interval_) return interval_ + jitter;
  // At the ceiling the jitter goes downwards, or everybody would wait exactly `most_`.
  const Ms wait = std::min(base_, most_ - interval_) + jitter;
  base_ = base_ > most_ / 2 ? most_ : base_ * 2;
  return wait;
}

void Backoff::reset() { base_ = interval_; }

}  // namespace vtx
