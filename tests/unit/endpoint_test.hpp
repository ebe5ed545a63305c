/* SPDX-License-Identifier: MPL-2.0 */
//
// What all tests of endpoints share: drivers that there are not, and short ways to parse.
#pragma once

#include "endpoint/endpoint.hpp"

#include <gtest/gtest.h>

namespace vtx::test {

inline const EndpointUse kPush{.produces = true, .consumes = false, .type = "PUSH"};
inline const EndpointUse kPull{.produces = false, .consumes = true, .type = "PULL"};
inline const EndpointUse kSub{.produces = false, .consumes = true, .type = "SUB"};
inline const EndpointUse kDealer{.produces = true, .consumes = true, .type = "DEALER"};

/// Three invented drivers, so that the tests show that the names are the caller's.
inline Schemes schemes() {
  Schemes all;
  all.names = {"file", "server", "net"};
  all.options_of = [](std::string_view scheme) -> std::optional<std::vector<std::string>> {
    if (scheme == "file") return std::vector<std::string>{"mode", "cache"};
    if (scheme == "server") return std::vector<std::string>{"sslmode", "password", "sslpassword"};
    if (scheme == "net") return std::vector<std::string>{};
    return std::nullopt;
  };
  return all;
}

inline LinkEndpoint accepted(std::string_view uri, const EndpointUse* use = &kPull) {
  Result<LinkEndpoint> parsed = parse_endpoint(uri, schemes(), use);
  EXPECT_TRUE(parsed) << uri << " -> " << (parsed ? "" : parsed.error().text());
  return parsed.value_or(LinkEndpoint{});
}

inline Status refused(std::string_view uri, const EndpointUse* use = &kPull) {
  Result<LinkEndpoint> parsed = parse_endpoint(uri, schemes(), use);
  EXPECT_FALSE(parsed) << uri;
  return parsed ? Status() : parsed.error();
}

inline std::string error(std::string_view uri, const EndpointUse* use = &kPull) { return refused(uri, use).text(); }

}  // namespace vtx::test
