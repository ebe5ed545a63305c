/* SPDX-License-Identifier: MPL-2.0 */
#include "pattern/request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "codec/properties.hpp"
#include "pattern/peer.hpp"

namespace vtx {

std::optional<std::size_t> first_body_frame(std::span<const Frame> frames) {
  const auto delimiter = std::ranges::find_if(frames, &Frame::empty);
  if (frames.end() - delimiter < 2) return std::nullopt;
  return static_cast<std::size_t>(delimiter - frames.begin()) + 1;
}

Asker::Asker(std::string peer) : peer_(std::move(peer)), life_(random_hex()) {}

std::string Asker::next_request() {
  outstanding_ = fmt::format("{}-{}", life_, ++count_);
  std::string properties;
  add_property(properties, kReplyTo, peer_);
  add_property(properties, kRequestId, outstanding_);
  return properties;
}

bool Asker::take_reply(std::string_view properties) {
  if (outstanding_.empty() || property_of(properties, kRequestId) != outstanding_) return false;
  outstanding_.clear();
  return true;
}

AddressFrame encode(const RequestAddress& address) {
  AddressFrame frame{};
  std::memcpy(frame.data(), &address.claim, sizeof address.claim);
  std::memcpy(frame.data() + sizeof address.claim, &address.seq, sizeof address.seq);
  return frame;
}

std::optional<RequestAddress> parse_address(Frame frame) {
  RequestAddress address;
  if (frame.size() != AddressFrame{}.size()) return std::nullopt;
  std::memcpy(&address.claim, frame.data(), sizeof address.claim);
  std::memcpy(&address.seq, frame.data() + sizeof address.claim, sizeof address.seq);
  return address;
}

}  // namespace vtx
