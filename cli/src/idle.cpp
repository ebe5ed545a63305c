/* SPDX-License-Identifier: MPL-2.0 */
//
// See idle.hpp.
#include "idle.hpp"

#include <algorithm>

#include "admin_call.hpp"
#include "failure.hpp"

namespace vtx::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForEver = std::chrono::hours(1);  // a wait is begun again at its end
constexpr milliseconds kAnswer = std::chrono::seconds(5);

}  // namespace

Idle::Idle(Link& link, std::optional<std::string> group, std::optional<Time> limit)
    : link_(link), group_(std::move(group)), limit_(limit) {
  // Several looks within the time: what others give back just before its end is then on its way to us or here.
  if (limit_) interval_ = std::clamp<milliseconds>(*limit_ / 4, milliseconds(20), std::chrono::seconds(2));
}

void Idle::start() { since_ = looked_ = Clock::now(); }

Idle::Time Idle::next_look() const {
  if (!limit_) return kForEver;
  const auto due = std::min(looked_ + interval_, std::max(since_ + *limit_, looked_ + milliseconds(1)));
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(due - Clock::now()));
}

bool Idle::is_over() {
  if (!limit_ || next_look() > milliseconds(0)) return false;
  if (link_.in_trouble() || others_hold_claims()) {
    start();
    return false;
  }
  looked_ = Clock::now();
  return looked_ - since_ >= *limit_;
}

// A store that does not answer may hold anything: then the time does not run either.
bool Idle::others_hold_claims() {
  if (!group_) return false;
  try {
    const Json queue = ask(link_.session().vtx(), link_.endpoint(), "show", kAnswer);
    const std::uint64_t ours = link_.stats().in_hand;
    for (const Json& group : queue.at("groups"))
      if (group.at("name") == *group_) return group.at("claimed").get<std::uint64_t>() > ours;
    return false;
  } catch (const Failure&) {
    return true;
  }
}

}  // namespace vtx::cli
