/* SPDX-License-Identifier: MPL-2.0 */
//
// Requests and replies (RFC 28). The frames up to the first empty one, the delimiter, are the envelope: they come back as they went. What VTX itself
// must know travels beside the frames, as properties:
//
//   request  Reply-To: the asker's mailbox   Request-Id: a tag that no other request of any asker has
//   reply    Request-Id: the tag of the request that it answers
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vtx/driver/frames.hpp"

namespace vtx {

inline constexpr std::string_view kReplyTo = "Reply-To";
inline constexpr std::string_view kRequestId = "Request-Id";

/// The index of the first frame behind the delimiter; nullopt when there is no delimiter, or nothing behind it.
std::optional<std::size_t> first_body_frame(std::span<const Frame> frames);

/// What a REQ socket has asked last, and so the one answer it may see: RFC 28, "SHALL accept an incoming message only if it came from
/// the connection to which it sent the last request", where a mailbox also brings answers to what it asked before, or in an earlier life.
class Asker {
 public:
  /// @param peer  whose mailbox the replies go to
  explicit Asker(std::string peer);

  const std::string& peer() const { return peer_; }
  /// The properties of the next request, which is the outstanding one from now on.
  std::string next_request();
  /// True for the reply to the outstanding request, once.
  bool take_reply(std::string_view properties);

 private:
  const std::string peer_;
  const std::string life_;  ///< no two askers have the same, a restarted one neither
  std::uint64_t count_ = 0;
  std::string outstanding_;
};

/// Where the request of a reply is among those in hand: what a REP socket is given ahead of the envelope, and returns.
struct RequestAddress {
  std::uint64_t claim = 0;
  std::uint64_t seq = 0;
  bool operator==(const RequestAddress&) const = default;
};
using AddressFrame = std::array<std::byte, 2 * sizeof(std::uint64_t)>;
AddressFrame encode(const RequestAddress& address);
/// nullopt for what encode() never gives.
std::optional<RequestAddress> parse_address(Frame frame);

}  // namespace vtx
