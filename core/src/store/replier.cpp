/* SPDX-License-Identifier: MPL-2.0 */
#include "store/replier.hpp"

#include <algorithm>

#include "codec/properties.hpp"
#include "pattern/request.hpp"
#include "vtx/vtx.h"

namespace vtx {

using namespace driver;

namespace {

/// The settlement of the claim in this commit, which is one for all of its requests; made when there is none yet.
std::size_t settlement_of(Commit& commit, Id group, Id claim) {
  const auto found = std::ranges::find(commit.settles, claim, &Settle::claim);
  const auto index = static_cast<std::size_t>(found - commit.settles.begin());
  if (index == commit.settles.size()) commit.settles.push_back({group, claim, {}, {}});
  return index;
}

}  // namespace

bool Replier::seal(std::span<const Frame> frames, Item& item) {
  const auto address = parse_address(frames.front());
  const Message* request = address ? requests_->begin_answer(address->claim, address->seq, item.offset) : nullptr;
  if (request == nullptr) {
    events().on_link_event(VTX_EVENT_REFUSED,
                           "the request of a reply is not in this worker's hands any more; the reply was dropped");
    return false;
  }
  item.claim = address->claim;
  item.peer = property_of(request->properties, kReplyTo);
  std::string properties;
  if (const auto tag = property_of(request->properties, kRequestId); !tag.empty())
    add_property(properties, kRequestId, tag);
  item.properties.kept.insert(0, properties);
  item.bytes -= frames.front().size();
  ++item.first_frame;
  --item.frames;
  return true;
}

std::size_t Replier::envelope_of(std::span<const Frame> frames) const { return first_body_frame(frames).value_or(0); }

void Replier::address(Items items, std::vector<Message> messages, Commit& commit) const {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::size_t settle = settlement_of(commit, requests_->group(), items[i].claim);
    auto& done = commit.settles[settle].done;
    const std::size_t word = items[i].offset / 64;
    if (done.size() <= word) done.resize(word + 1);
    done[word] |= u64{1} << (items[i].offset % 64);
    Append append;
    append.queue = queue();
    append.peer = items[i].peer;
    append.priority = items[i].properties.priority;
    append.messages.push_back(messages[i]);
    append.only_if = static_cast<int>(settle);
    commit.appends.push_back(std::move(append));
  }
}

void Replier::wake(Items items) const {
  for (const Item& item : items) engine().on_changed(queue_name(), "mailbox:" + item.peer);
}

void Replier::on_stored(Items items, const Completion& answer) {
  Commit again;  // the settlements in the order in which they were submitted
  for (const Item& item : items) {
    const auto settle = static_cast<u32>(settlement_of(again, 0, item.claim));
    const bool fenced = std::ranges::find(answer.fenced, settle) != answer.fenced.end();
    if (fenced) count_refused(1);
    requests_->on_answered(item.claim, item.offset, fenced);
  }
}

void Replier::on_given_up(const Item& item, const std::string& why) {
  requests_->on_unanswered(item.claim, item.offset, "its reply was not stored: " + why);
}

}  // namespace vtx
