/* SPDX-License-Identifier: MPL-2.0 */
//
// The list of hosts, as libpq's own URIs have it, the options and VTX's defaults.
#include "conninfo.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace vtx::postgres {

// Those of libpq 15 that name a server, a way to it or who we are. Not among them: options, replication, client_encoding and others that
// VTX sets itself or that would change what it reads; require_auth, which libpq 16 brought.
const char* const kOptions[] = {"schema",
                                "pooler",
                                "host",
                                "hostaddr",
                                "port",
                                "dbname",
                                "user",
                                "password",
                                "passfile",
                                "connect_timeout",
                                "sslmode",
                                "sslcert",
                                "sslkey",
                                "sslrootcert",
                                "sslcrl",
                                "sslpassword",
                                "ssl_min_protocol_version",
                                "sslsni",
                                "channel_binding",
                                "gssencmode",
                                "krbsrvname",
                                "service",
                                "target_session_attrs",
                                "keepalives",
                                "keepalives_idle",
                                "keepalives_interval",
                                "keepalives_count",
                                "tcp_user_timeout",
                                "application_name",
                                nullptr};

namespace {

constexpr std::size_t kLongestSchema = 40;  // of PostgreSQL's 63: channels and locks are named after it

constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
    // A standby refuses what VTX does; libpq goes on to the next host then. A pooler that does not tell is asked for the server's state.
    {"target_session_attrs", "read-write"},
    {"connect_timeout", "10"},  // seconds; Connection::deadline() sees to it
    // A dead network is found out within 15 seconds, sending or not. Unix sockets ignore it.
    {"keepalives_idle", "5"},
    {"keepalives_interval", "2"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "10000"},  // ms
    {"client_encoding", "UTF8"},
    {"fallback_application_name", "vtx"},  // yields to application_name and PGAPPNAME
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_number(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

void set(Conninfo& info, std::string_view keyword, std::string value) {
  const auto found = std::find(info.keywords.begin(), info.keywords.end(), keyword);
  if (found != info.keywords.end()) {
    info.values[static_cast<std::size_t>(found - info.keywords.begin())] = std::move(value);
  } else {
    info.keywords.emplace_back(keyword);
    info.values.push_back(std::move(value));
  }
}

/// Half a sentence about what is wrong with it; empty when nothing is.
std::string check_schema(std::string_view name) {
  if (name.empty() || !is_letter(name[0])) return "must begin with a letter";
  if (name.size() > kLongestSchema) return "may have at most " + std::to_string(kLongestSchema) + " characters";
  if (name.starts_with("pg_")) return "may not begin with pg_, which PostgreSQL keeps for itself";
  const auto fits = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  if (!std::all_of(name.begin(), name.end(), fits)) return "may have letters, digits and _ only";
  return {};
}

/// One of the authority's hosts, split into `host` and `port`. A host is a name, an address, or a directory with a Unix socket.
std::string split_host(std::string_view text, std::string_view& host, std::string_view& port) {
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
  if (text.starts_with('[') && bracket == std::string_view::npos) return "misses ']'";
  const bool bracketed = bracket != std::string_view::npos;
  const std::string_view behind = bracketed ? text.substr(bracket + 1) : text;
  const std::size_t colon = behind.rfind(':');
  const bool has_port = colon != std::string_view::npos;
  host = bracketed ? text.substr(1, bracket - 1) : text.substr(0, colon);
  port = has_port ? behind.substr(colon + 1) : std::string_view();
  if (bracketed && !behind.empty() && colon != 0) return "has something between ']' and the port";
  if (!bracketed && !host.starts_with('/') && host.find(':') != std::string_view::npos)
    return "is an IPv6 address: write it in brackets";
  const bool fits =
      is_number(port) && port.size() <= 5 && std::stoi(std::string(port)) >= 1 && std::stoi(std::string(port)) <= 65535;
  return port.empty() || fits ? std::string() : "needs a port from 1 to 65535";
}

std::string add_hosts(Conninfo& info, std::string_view authority) {
  if (authority.empty()) return {};  // libpq's environment, or its default
  std::string hosts, ports;
  bool has_port = false;
  for (bool more = true; more;) {
    const std::size_t end = std::min(authority.find(','), authority.size());
    std::string_view host, port;
    const std::string_view text = authority.substr(0, end);
    if (const std::string bad = split_host(text, host, port); !bad.empty())
      return "host '" + std::string(text) + "' " + bad;
    more = end < authority.size();
    authority.remove_prefix(more ? end + 1 : end);
    has_port = has_port || !port.empty();
    hosts.append(host).append(more ? "," : "");
    ports.append(port).append(more ? "," : "");
  }
  set(info, "host", hosts);
  if (has_port) set(info, "port", ports);
  return {};
}

std::string add_option(Conninfo& info, const std::string& name, const std::string& value) {
  std::string bad;
  if (name == "schema") {
    bad = check_schema(value);
    info.schema = value;
  } else if (name == "pooler") {
    if (value != "on" && value != "off") bad = "must be on or off";
    info.pooler = value == "on";
  } else {
    // A day is enough, and no arithmetic on it overflows.
    if (name == "connect_timeout" && (!is_number(value) || value.size() > 5))
      bad = "must be a number of seconds below 100000";
    set(info, name, value);
  }
  return bad.empty() ? bad : "option '" + name + "' " + bad;
}

/// What every transaction of ours relies on, whatever the server's or the user's settings are: sent with the connection's first message. A
/// pooler would refuse it, or give the session to others with it, so there each transaction must bring its own.
std::string session_options() {
  const char* users = std::getenv("PGOPTIONS");  // ours replace it, and come last, so that they win
  return (users && *users ? std::string(users) + " " : std::string()) +
         "-c default_transaction_isolation=read\\ committed -c idle_in_transaction_session_timeout=0 "
         "-c plan_cache_mode=force_generic_plan -c jit=off";
}

std::string place_of(const driver::Endpoint& endpoint) {
  const std::string user = endpoint.user && !endpoint.user->empty() ? *endpoint.user + "@" : "";
  return endpoint.scheme + (endpoint.has_authority ? "://" : ":") + user + endpoint.authority + endpoint.path;
}

}  // namespace

const std::string& Conninfo::value(const std::string& keyword) const {
  static const std::string none;
  const auto found = std::find(keywords.begin(), keywords.end(), keyword);
  return found == keywords.end() ? none : values[static_cast<std::size_t>(found - keywords.begin())];
}

vtx::Result<Conninfo> make_conninfo(const driver::Endpoint& endpoint) {
  Conninfo info;
  info.place = place_of(endpoint);
  for (const auto& [keyword, value] : kDefaults) set(info, keyword, std::string(value));
  if (endpoint.user && !endpoint.user->empty()) set(info, "user", *endpoint.user);
  if (endpoint.password) set(info, "password", *endpoint.password);
  std::string bad = add_hosts(info, endpoint.authority);
  const std::string_view path = endpoint.path;
  const std::string_view name = path.starts_with('/') ? path.substr(1) : path;
  if (!name.empty()) set(info, "dbname", std::string(name));
  for (const auto& [option, value] : endpoint.options)
    if (bad.empty()) bad = add_option(info, option, value);
  if (!bad.empty()) return fail(Code::invalid, info.place + ": " + bad);
  if (!info.pooler) set(info, "options", session_options());
  return info;
}

}  // namespace vtx::postgres
