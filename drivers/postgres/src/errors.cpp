/* SPDX-License-Identifier: MPL-2.0 */
//
// Tables: from a SQLSTATE (Appendix A of PostgreSQL's manual, and class VX of VTX's own functions) and from libpq's words to a Code.
#include "errors.hpp"

#include <algorithm>
#include <vector>

namespace vtx::postgres {
namespace {

struct Rule {
  std::string_view sqlstate;  ///< whole, or its first two characters: the class
  Code code;
  std::string_view remedy{};
};

constexpr std::string_view kOwn = "VX";

/// The first one that fits counts.
constexpr Rule kRules[] = {
    // Raised by VTX's own functions, with a sentence that needs no more.
    {"VX001", Code::not_found},
    {"VX002", Code::mismatch},
    {"VX003", Code::full},
    {"VX004", Code::invalid},
    {"VX005", Code::busy},
    {"VX006", Code::unsupported},
    {"VX007", Code::fenced},
    {"VX008", Code::newer_schema},
    {"VX009", Code::lost},  // the session is of another epoch, or incarnation of the server
    {"VX010", Code::denied},
    // Exceptions to what is said of their class below.
    {"25006", Code::lost, "this server is read only now: VTX looks for the one that is not"},
    {"53100", Code::no_space, "free space on the server's disk"},
    {"53200", Code::lost, "the server has no memory left, VTX tries again"},
    {"53300", Code::lost, "raise max_connections, or close others; VTX tries again"},
    {"57014", Code::lost, "VTX tries again; look at statement_timeout if nobody cancelled it"},
    {"58030", Code::lost, "look at the server's log and disks; VTX tries again"},
    {"42501", Code::denied, "the owner of VTX's schema can GRANT it: see vtx.allow"},
    // VTX's own tables and functions: somebody replaced the schema while we worked. Opening again tells whether it is there.
    {"42P01", Code::lost, "VTX's schema was changed meanwhile: it is opened again"},
    {"42883", Code::lost, "VTX's schema was changed meanwhile: it is opened again"},
    // Names of statements, which belong to a session. Lost, since the messages are not to blame: refused they would be dropped.
    {"26000", Code::lost, "a pooler in transaction mode is in between: write pooler=on"},
    {"42P05", Code::lost, "a pooler in transaction mode is in between: write pooler=on"},
    {"42939", Code::invalid},
    {"XX001", Code::corrupt, "restore the database from a backup"},
    {"XX002", Code::corrupt, "run REINDEX, or restore the database from a backup"},
    // Classes. Connection; wrong state of a transaction; rolled back (deadlock, serialization); short of resources; object in use or not in the
    // state for it, lock not available; shutdown, crash, starting up, cancelled; the system below the server; the server's own defects.
    {"08", Code::lost},
    {"25", Code::lost},
    {"40", Code::lost},
    {"53", Code::lost},
    {"55", Code::lost},
    {"57", Code::lost},
    {"58", Code::lost},
    {"XX", Code::lost},
    // Waiting cures none of these: what we sent, who we are, what there is.
    {"0A", Code::unsupported},
    {"22", Code::invalid},
    {"23", Code::internal},
    {"28", Code::denied},
    {"3D", Code::not_found, "create the database, or name another"},
    {"3F", Code::not_found, "create VTX's schema, or name another with option schema"},
    {"54", Code::invalid},
};

/// What no rule knows is a statement of ours that the server does not understand (42), or in the wrong place: a defect. A server that says
/// nothing, as libpq about a broken connection, may be better next time.
Rule rule_of(std::string_view sqlstate) {
  if (sqlstate.empty()) return {"", Code::lost};
  for (const Rule& rule : kRules)
    if (sqlstate.starts_with(rule.sqlstate)) return rule;
  return {"", Code::internal};
}

/// By a pooler: of what Conninfo sends without option pooler.
constexpr std::string_view kStartupRefused = "unsupported startup parameter: options";

struct Words {
  std::string_view text;
  Code code;
};

/// libpq 15 keeps no SQLSTATE of a refused connection, so its text must do, in the language of the source: a server whose lc_messages is
/// another, or a libpq under another LC_MESSAGES, gives lost, and the link goes on trying with these very words shown.
constexpr Words kWords[] = {
    {"authentication failed for user", Code::denied},
    {"no password supplied", Code::denied},
    {"no pg_hba.conf entry", Code::denied},
    {"pg_hba.conf rejects", Code::denied},
    {"is not permitted to log in", Code::denied},
    {"permission denied for database", Code::denied},
    {"certificate verify failed", Code::denied},
    {"root certificate file", Code::denied},   // does not exist
    {"server certificate for", Code::denied},  // … does not match host name
    {"certificate file", Code::denied},
    {"private key file", Code::denied},
    {"server does not support SSL, but SSL was required", Code::denied},
    {"channel binding required", Code::denied},
    {"password file", Code::denied},
    // Options that libpq itself refuses.
    {kStartupRefused, Code::invalid},
    {"invalid connection option", Code::invalid},
    {"invalid sslmode value", Code::invalid},
    {"invalid channel_binding value", Code::invalid},
    {"invalid gssencmode value", Code::invalid},
    {"invalid target_session_attrs value", Code::invalid},
    {"ssl_min_protocol_version", Code::invalid},
    {"invalid integer value", Code::invalid},
    {"invalid port number", Code::invalid},
    {"could not parse network address", Code::invalid},
    {"could not match", Code::invalid},  // N port numbers to M hosts
    {"definition of service", Code::invalid},
    {"service file", Code::invalid},
};

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// Of one host.
Code code_of_words(std::string_view text) {
  const bool missing = has(text, "\" does not exist");
  if (missing && has(text, " database \"")) return Code::not_found;
  if (missing && has(text, " role \"")) return Code::denied;
  for (const Words& words : kWords)
    if (has(text, words.text)) return words.code;
  return Code::lost;
}

/// Of all hosts: each begins a line in the same way, and others follow it.
Code code_of_hosts(std::string_view text) {
  constexpr std::string_view kNext = "\nconnection to server ";
  Code code = Code::ok;
  while (!text.empty()) {
    const std::size_t end = text.find(kNext);
    const Code one = code_of_words(text.substr(0, end));
    if (one == Code::lost) return one;
    if (code == Code::ok) code = one;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return code == Code::ok ? Code::lost : code;
}

/// With single spaces only, and none around it.
std::string tidy(std::string_view line) {
  std::string out;
  for (const char c : line) {
    const bool blank = static_cast<unsigned char>(c) <= ' ';
    if (!blank)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

void append(std::string& out, std::string part) {
  if (part.ends_with('.')) part.pop_back();
  if (part.empty()) return;
  if (!out.empty()) out += out.ends_with(':') ? " " : "; ";
  out += part;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const bool indented = text.starts_with('\t');
    std::string line = tidy(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    // libpq breaks long sentences: the rest begins with a tab and a small letter.
    if (indented && !lines.empty() && !line.empty() && line[0] >= 'a' && line[0] <= 'z')
      lines.back().append(" ").append(line);
    // Tried with and without TLS, a server says the same twice.
    else if (std::find(lines.begin(), lines.end(), line) == lines.end())
      lines.push_back(std::move(line));
  }
  std::string out;
  for (std::string& line : lines) append(out, std::move(line));
  return out;
}

int native_of(std::string_view sqlstate) {
  if (sqlstate.size() != 5) return 0;
  unsigned native = 0;
  for (unsigned i = 0; i < 5; ++i)
    native |= ((static_cast<unsigned char>(sqlstate[i]) - unsigned{'0'}) & 0x3f) << (6 * i);
  return static_cast<int>(native);
}

Status translate(const ServerError& error, const std::string& place) {
  const Rule rule = rule_of(error.sqlstate);
  std::string text = one_line(error.message);
  if (error.sqlstate.starts_with(kOwn)) return {rule.code, std::move(text), native_of(error.sqlstate)};
  append(text, one_line(error.detail));
  append(text, one_line(error.hint));
  append(text, std::string(rule.remedy));
  return {rule.code, place + ": " + text, native_of(error.sqlstate)};
}

Status translate(const Result& result, const std::string& place) {
  return translate({result.sqlstate(), result.message(), result.detail(), result.hint()}, place);
}

Status of_connection(const PGconn* connection, const std::string& place) {
  const char* words = PQerrorMessage(connection);
  const std::string_view text = words ? words : "";
  if (text.empty()) return {Code::lost, place + ": the connection broke"};
  const std::string remedy = has(text, kStartupRefused) ? "; to go through a pooler, write pooler=on" : "";
  return {code_of_hosts(text), place + ": " + one_line(text) + remedy};
}

bool is_stale_plan(std::string_view sqlstate, std::string_view function) {
  // In src/backend/utils/cache/plancache.c: a function answers other columns than when the statement was left with the server.
  return sqlstate == "0A000" && function == "RevalidateCachedQuery";
}

bool is_standby_wait_cancelled(std::string_view sqlstate, std::string_view severity, std::string_view function) {
  // In src/backend/replication/syncrep.c. After a cancel request or timeout it gives no SQLSTATE but that of any warning, 01000, and its text is
  // in the server's language: so it is known by the function. The SQLSTATEs are those of cancelled and of shutdown, which it gives when the
  // session is being ended; no other warning has them, and taking one for it costs a look at what was committed.
  if (severity != "WARNING" && severity != "NOTICE") return false;
  return function == "SyncRepWaitForLSN" || sqlstate == "57014" || sqlstate == "57P01";
}

}  // namespace vtx::postgres
