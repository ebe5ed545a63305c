/* SPDX-License-Identifier: MPL-2.0 */
//
// A second Postgres that follows a first one by streaming, for tests of failover.
#pragma once

#include <chrono>

#include "support/postgres_server.hpp"

namespace vtx::test {

/// A copy of `primary`, on a port of its own, following it asynchronously until promoted. One thread at a time.
class StandbyServer : public PostgresServer {
 public:
  /// Returns when it can be read from. `primary` must be running; it may end before this does.
  explicit StandbyServer(const PostgresServer& primary, std::vector<std::string> settings = {});

  /// Waits until it shows what `primary` had committed when this was called. @return false when it does not within `patience`
  bool catch_up(const PostgresServer& primary, std::chrono::milliseconds patience = std::chrono::seconds{30}) const;
  /// Makes it a primary; returns when it takes writes.
  void promote();
};

}  // namespace vtx::test
