/* SPDX-License-Identifier: MPL-2.0 */
//
// A server that a test may stop, kill and crowd, with a role and a database as an application has them.
#pragma once

#include <string>
#include <vector>

#include "contract/link_world.hpp"
#include "support/postgres_server.hpp"

namespace vtx::test {

inline constexpr const char* kDatabase = "app";

inline void make_database(const PostgresServer& server) {
  server.sql("postgres", "CREATE ROLE vtx LOGIN");
  server.sql("postgres", "CREATE DATABASE app OWNER vtx");
}

/// Endpoint of a queue, on the first of these that takes writes.
inline std::string queue_at(const std::vector<const PostgresServer*>& servers, const std::string& who = "vtx") {
  std::string hosts;
  for (const PostgresServer* server : servers)
    hosts += (hosts.empty() ? "" : ",") + server->host() + ":" + std::to_string(server->port());
  return "postgres://" + who + "@" + hosts + "/" + kDatabase + "?queue=jobs";
}

/// A setting of the whole server, from now on.
inline void set_server(const PostgresServer& server, const std::string& setting, const std::string& value) {
  server.sql("postgres", "ALTER SYSTEM SET " + setting + " = '" + value + "'");
  server.sql("postgres", "SELECT pg_reload_conf()");
}

/// The next trouble that the link tells with these words in it; others before it are passed over.
inline std::string wait_trouble(EventLog& events, const std::string& words) {
  std::string told;
  while (const auto event = events.wait(VTX_EVENT, VTX_EVENT_TROUBLE)) {
    if (event->sentence.find(words) != std::string::npos) return event->sentence;
    told += event->sentence + "\n";
  }
  ADD_FAILURE() << "nobody said: " << words << "; but:\n" << told;
  return {};
}

}  // namespace vtx::test
