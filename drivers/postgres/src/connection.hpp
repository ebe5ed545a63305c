/* SPDX-License-Identifier: MPL-2.0 */
//
// A session with a server, without waiting: statements go out one behind the other (libpq's pipeline mode), each a transaction of its own,
// and their answers come in order. Apart from the store because it knows no SQL: what is lost, in doubt or to be sent again is not for it to say.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conninfo.hpp"
#include "parameters.hpp"
#include "result.hpp"
#include "vtx/driver/clock.hpp"
#include "vtx/driver/status.hpp"

namespace vtx::postgres {

/// The answer to one statement: rows, or an error that the session outlives.
struct Reply {
  std::uint64_t ticket = 0;
  Result result;
  /// Committed on this server, but the wait for its standby was given up: to who asked for it, the commit is in doubt.
  bool standby_wait_cancelled = false;
};

struct Notification {
  std::string channel, payload;
  int backend_pid = 0;  ///< of who sent it
};

/// Confined to the driver's thread. Starts idle; start() → connecting → live → failed; close() → idle from each.
///
/// The owner waits for fd() as wants_read() and wants_write() say, at most until deadline(), and calls poll() then, and after the last of
/// several send(): libpq may have read an answer already that the socket will not tell of any more.
class Connection {
 public:
  enum class State : std::uint8_t { idle, connecting, live, failed };

  explicit Connection(const driver::Clock& clock) : clock_(clock) {}
  ~Connection() { close(); }
  Connection(const Connection&) = delete;  // libpq knows its address
  Connection& operator=(const Connection&) = delete;

  /// Begins to connect; forgets all of an earlier session. A host's name is resolved in here, and in poll() for each further host, and libpq
  /// does wait for that: addresses (also by option hostaddr) and Unix sockets need none.
  /// Fails, as poll() does, with the state failed: lost, denied, not_found, invalid.
  Status start(const Conninfo& info);
  /// Goes on with connecting, sending and receiving as far as possible without waiting.
  void poll();
  /// Ends the session; what the server has received it goes on doing. Replies and notifications stay until the next start().
  void close();

  State state() const { return state_; }
  bool live() const { return state_ == State::live; }
  bool failed() const { return state_ == State::failed; }
  /// Of a failed one. A server that ended the session said so itself: its words, else libpq's.
  const Status& why() const { return why_; }

  /// -1 none. While connecting, each poll() may close it and open another one, of the same number even: register it anew with an epoll.
  int fd() const { return connection_ ? PQsocket(connection_.get()) : -1; }
  bool wants_read() const;
  bool wants_write() const;
  /// When to poll() at the latest, whatever the socket does; nullopt never.
  std::optional<driver::Steady> deadline() const;

  /// Sends a statement in a transaction of its own. What the network does not take is kept: the owner bounds how much that is. One that has parameters
  /// and comes again is left with the server to be called by a name, where no pooler is in between; its parameters' types must then be the same each time.
  /// The ticket comes back in one Reply, unless the connection fails before, in here, or had failed.
  /// @param statement   one; with results that Result can read, so no COPY
  /// @param parameters  not too_large(): else, the connection fails with invalid
  void send(std::uint64_t ticket, const std::string& statement, Parameters&& parameters);

  /// Answers since the last call, in the order of send().
  std::vector<Reply> take_replies();
  /// Notifications since the last call, of whatever channels were listened to.
  std::vector<Notification> take_notifications();
  /// Sent, and not yet answered; of a connection that has failed, never to be: the server may have done all of it or nothing.
  std::size_t awaited_count() const { return awaited_.size(); }

  /// Of the server's process; 0 none. A pooler's is nobody's.
  int backend_pid() const { return connection_ ? PQbackendPID(connection_.get()) : 0; }

 private:
  /// A statement that the server may have by a name. Only a name that it has confirmed is called: one that fails must not take others with it.
  struct Prepared {
    enum class State : std::uint8_t { used_once, asked, confirmed };
    std::string name;
    State state = State::used_once;
  };
  struct Awaited {
    std::uint64_t ticket = 0;
    Prepared* asks = nullptr;  ///< a name was asked for with it, and is neither confirmed nor refused
  };
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  static void on_notice(void* self, const PGresult* notice);
  Prepared* prepared(const std::string& statement, const Parameters& parameters);
  void go_on_connecting();
  void become_live();
  void receive();
  void take_results();
  /// Of the statement at the front.
  void take_result(Result result);
  void take_notifies();
  void flush();
  bool encrypted() const;
  void fail(Status why);
  void fail_by_words();

  const driver::Clock& clock_;
  std::unique_ptr<PGconn, Finish> connection_;
  State state_ = State::idle;
  Status why_;
  std::string place_;
  std::optional<driver::Steady> connect_until_;
  PostgresPollingStatusType polling_ = PGRES_POLLING_WRITING;  ///< connecting: what libpq waits for
  bool unsent_ = false;                                        ///< live: libpq has more than the socket took

  bool names_statements_ = false;
  std::map<std::string, Prepared> prepared_;  ///< by its text
  std::deque<Awaited> awaited_;
  /// Of the statement at the front, until the end of its transaction is known too.
  Result current_;
  bool standby_wait_cancelled_ = false;
  std::optional<Status> last_words_;  ///< of a server that ended the session, outside any statement
  std::vector<Reply> replies_;
  std::vector<Notification> notifications_;
};

}  // namespace vtx::postgres
