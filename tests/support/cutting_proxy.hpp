/* SPDX-License-Identifier: MPL-2.0 */
//
// A proxy before Postgres (or PgBouncer) that cuts connections where a test wants it: anywhere, or exactly between a
// transaction's commit and the client's learning of it. Of the protocol (version 3) it knows how messages are framed and which
// of them the server answers with ReadyForQuery; no SQL. Nothing in it depends on time.
#pragma once

#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace vtx::test {

/// Thread-safe; works in a thread of its own. Knows unencrypted connections only: sslmode=disable or prefer.
class CuttingProxy {
 public:
  /// Listens on 127.0.0.1 and forwards to that port of it.
  explicit CuttingProxy(std::uint16_t server_port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  static std::string host() { return "127.0.0.1"; }
  std::uint16_t port() const { return port_; }
  /// postgres://user@127.0.0.1:PORT/database
  std::string address(const std::string& database, const std::string& user = "vtx") const;

  /// Both sides of every connection; they are closed when this returns.
  void cut();
  /// From now on, until allowed again, new connections are closed as soon as they come. Those that are stay.
  void refuse_connections(bool refuse);

  // --- what happens once, to the first connection whose client sends a message, of whatever kind, that contains `text`;
  // a new fault takes the place of one that has not happened
  /// All is forwarded, but the answers to the message, up to and with the next ReadyForQuery, are withheld. When the server has
  /// given that, so that the transaction is settled, the connection is cut.
  void lose_answer(const std::string& text);
  /// The connection is cut instead of forwarding the message. What preceded it has been sent.
  void lose_request(const std::string& text);
  /// The message, and what follows up to and with the next that asks for ReadyForQuery, is kept back, and the client then cut off:
  /// for the server the client lives on, with its locks, until deliver() or cut().
  void delay_request(const std::string& text);
  /// Forwards what was delayed. @return true when the server has answered it with ReadyForQuery, or closed the connection
  bool deliver(std::chrono::milliseconds patience = std::chrono::seconds{30});

  /// True when the fault that was asked for last has happened, or does so within `patience`.
  bool wait_fault(std::chrono::milliseconds patience = std::chrono::seconds{30});
  /// How many connections it has taken since it was made; refused ones do not count.
  std::uint64_t connections() const;

 private:
  enum class Fault { none, lose_answer, lose_request, delay_request };
  struct Connection;

  void serve();
  // --- under the mutex, by the thread of its own
  std::vector<pollfd> waits() const;
  void handle(const std::vector<pollfd>& events);
  void take_connection();
  void from_client(Connection& connection);
  void client_message(Connection& connection, std::string_view message);
  void from_server(Connection& connection);
  // --- under the mutex
  void arm(Fault fault, const std::string& text);
  void happened();
  void wake() const;

  int listener_ = -1;
  int wake_ = -1;
  std::uint16_t port_ = 0;
  const std::uint16_t server_port_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  bool cut_ = false;
  bool refuse_ = false;
  Fault fault_ = Fault::none;
  std::string text_;
  bool fault_happened_ = false;
  std::uint64_t accepted_ = 0;
  std::list<Connection> connections_;

  std::thread thread_;
};

}  // namespace vtx::test
