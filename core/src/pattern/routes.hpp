/* SPDX-License-Identifier: MPL-2.0 */
//
// By which identity a ROUTER knows a peer, and which of its requests an answer is to. A REQ takes only the reply to what it asked last, and
// the application's reply names the peer alone: so each identity stands for the newest request that was handed over with it. Where a REQ
// asks again while its earlier request is still being worked on, because it was restarted, or by ZMQ_REQ_RELAXED, the new one comes under an
// identity of its own, or the old answer would be taken for the new one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vtx {

class Routes {
 public:
  struct Route {
    std::string identity;          ///< as the application sees it
    std::string peer;              ///< see pattern/peer.hpp
    std::string tag;               ///< Request-Id of the newest request; empty: it was none
    std::uint32_t unanswered = 0;  ///< requests handed over, without their replies
    std::string later;             ///< the identity of the peer's newest request, where that has one
  };

  /// The peer's own route, made when it is new.
  Route& of_peer(const std::string& peer);
  /// The route of a message that is going to the application. @param tag  its Request-Id; empty none
  Route& of_message(const std::string& peer, std::string_view tag);
  /// It was handed over.
  static void on_delivered(Route& route, std::string_view tag);
  /// nullptr for an identity that nobody has.
  Route* find(const std::string& identity);
  /// The application has answered.
  static void on_answered(Route& route);
  /// The peer has gone. The identities that it had.
  std::vector<std::string> forget(const std::string& peer);
  /// Identities of requests that have been followed by another, forgotten now.
  std::vector<std::string> take_outlived() { return std::exchange(outlived_, {}); }

 private:
  Route& make(const std::string& identity, const std::string& peer);

  std::unordered_map<std::string, Route> routes_;            ///< by identity
  std::unordered_map<std::string, std::string> identities_;  ///< of peers, their own
  std::uint64_t anonymous_ = 0;
  std::vector<std::string> outlived_;
};

}  // namespace vtx
