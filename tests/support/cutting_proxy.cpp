/* SPDX-License-Identifier: MPL-2.0 */
//
// A message is a kind (one byte) and a length (four, which count themselves); a client's first has no kind. To each Sync,
// Query, FunctionCall and to the first message the server answers with one ReadyForQuery, in order: so answers are told apart.
#include "support/cutting_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace vtx::test {
namespace {

constexpr std::uint32_t kSslRequest = 80877103, kGssRequest = 80877104;

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return ntohl(number);
}

/// The first message of `bytes`; empty when it is not whole.
std::string_view first_message(std::string_view bytes, bool has_kind) {
  const std::size_t kind = has_kind ? 1 : 0;
  if (bytes.size() < kind + 4) return {};
  const std::size_t size = kind + number_at(bytes, kind);
  return size < kind + 4 || bytes.size() < size ? std::string_view{} : bytes.substr(0, size);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// One side of a connection. Writes what it can at once and the rest when there is room.
class Side {
 public:
  Side() = default;
  explicit Side(int fd) : fd_(fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Side() { close(); }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;
  Side(Side&&) = delete;
  Side& operator=(Side&&) = delete;

  bool is_open() const { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  pollfd wait() const { return {fd_, static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), 0}; }
  void send(std::string_view bytes) {
    out_ += bytes;
    flush();
  }
  void flush() {
    while (is_open() && !out_.empty()) {
      const ssize_t sent = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR) close();
        return;
      }
      out_.erase(0, static_cast<std::size_t>(sent));
    }
  }
  /// What has come goes to the end of `in`. Closes when the other has.
  void receive() {
    char buffer[65536];
    const ssize_t got = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got > 0) in.append(buffer, static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) close();
  }

  std::string in;

 private:
  int fd_ = -1;
  std::string out_;
};

}  // namespace

struct CuttingProxy::Connection {
  Connection(int client_fd, int server_fd) : client(client_fd), server(server_fd) {}

  void close() { client.close(), server.close(); }

  Side client, server;
  bool starting = true;     ///< the client's next message has no kind
  int bare_bytes = 0;       ///< answers that the server gives as one byte each: to requests for encryption
  std::uint64_t asked = 0;  ///< how many ReadyForQuery the client has asked for
  std::uint64_t given = 0;  ///< and has been given by the server
  std::uint64_t lost = 0;   ///< the number of the answer to lose; 0 none
  bool delaying = false;    ///< what the client sends is kept back
  std::string delayed;
  bool delivering = false;
};

CuttingProxy::CuttingProxy(std::uint16_t server_port) : server_port_(server_port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener_, 128) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error(std::string("the proxy cannot listen: ") + std::strerror(errno));
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

CuttingProxy::~CuttingProxy() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake();
  }
  thread_.join();
  ::close(listener_);
  ::close(wake_);
}

std::string CuttingProxy::address(const std::string& database, const std::string& user) const {
  return "postgres://" + user + "@" + host() + ":" + std::to_string(port_) + "/" + database;
}

void CuttingProxy::cut() {
  std::unique_lock lock(mutex_);
  cut_ = true;
  wake();
  changed_.wait(lock, [this] { return !cut_; });
}

void CuttingProxy::refuse_connections(bool refuse) {
  const std::lock_guard lock(mutex_);
  refuse_ = refuse;
}

void CuttingProxy::lose_answer(const std::string& text) { arm(Fault::lose_answer, text); }
void CuttingProxy::lose_request(const std::string& text) { arm(Fault::lose_request, text); }
void CuttingProxy::delay_request(const std::string& text) { arm(Fault::delay_request, text); }

void CuttingProxy::arm(Fault fault, const std::string& text) {
  const std::lock_guard lock(mutex_);
  fault_ = fault;
  text_ = text;
  fault_happened_ = false;
}

bool CuttingProxy::deliver(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  for (Connection& connection : connections_)
    if (connection.delaying && !connection.client.is_open()) {
      connection.delivering = true;
      connection.server.send(connection.delayed);
    }
  wake();
  return changed_.wait_for(lock, patience, [this] {
    for (const Connection& connection : connections_)
      if (connection.delivering) return false;
    return true;
  });
}

bool CuttingProxy::wait_fault(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [this] { return fault_happened_; });
}

std::uint64_t CuttingProxy::connections() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

void CuttingProxy::wake() const { ::eventfd_write(wake_, 1); }

void CuttingProxy::happened() {
  fault_happened_ = true;
  changed_.notify_all();
}

void CuttingProxy::serve() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    std::vector<pollfd> events = waits();
    lock.unlock();
    ::poll(events.data(), events.size(), -1);
    lock.lock();
    handle(events);
    if (cut_) connections_.clear();
    cut_ = false;
    changed_.notify_all();
  }
  connections_.clear();
}

std::vector<pollfd> CuttingProxy::waits() const {
  std::vector<pollfd> waits = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
  for (const Connection& connection : connections_) {
    waits.push_back(connection.client.wait());
    waits.push_back(connection.server.wait());
  }
  return waits;
}

void CuttingProxy::handle(const std::vector<pollfd>& events) {
  eventfd_t ignored = 0;
  ::eventfd_read(wake_, &ignored);
  std::size_t at = 2;
  for (auto one = connections_.begin(); one != connections_.end(); at += 2) {
    one->client.flush();
    one->server.flush();
    if (events[at].revents != 0 && one->client.is_open()) from_client(*one);
    if (events[at + 1].revents != 0 && one->server.is_open()) from_server(*one);
    const bool client_is_needed = !one->delaying || one->delayed.empty();
    const bool over = !one->server.is_open() || (!one->client.is_open() && client_is_needed);
    one = over ? connections_.erase(one) : std::next(one);
  }
  if (events[1].revents != 0) take_connection();
}

void CuttingProxy::take_connection() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(server_port_);
  if (refuse_ || ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(client);
    ::close(server);
    return;
  }
  connections_.emplace_back(client, server);
  ++accepted_;
}

void CuttingProxy::from_client(Connection& connection) {
  connection.client.receive();
  std::string& in = connection.client.in;
  while (true) {
    const std::string message(first_message(in, !connection.starting));
    if (message.empty()) return;
    in.erase(0, message.size());
    client_message(connection, message);
  }
}

void CuttingProxy::client_message(Connection& connection, std::string_view message) {
  if (connection.starting) {
    const std::uint32_t code = message.size() >= 8 ? number_at(message, 4) : 0;
    const bool encryption = code == kSslRequest || code == kGssRequest;
    connection.bare_bytes += encryption ? 1 : 0;
    connection.starting = encryption;
    connection.asked += encryption ? 0 : 1;
    return connection.server.send(message);
  }
  if (fault_ != Fault::none && message.find(text_) != std::string_view::npos) {
    const Fault fault = std::exchange(fault_, Fault::none);
    if (fault == Fault::lose_answer) connection.lost = connection.asked + 1;
    if (fault == Fault::delay_request) connection.delaying = true;
    if (fault == Fault::lose_request) return connection.close(), happened();
  }
  // It had sent more behind the one that it was cut off for.
  if (connection.delaying && !connection.client.is_open()) return;
  const bool asks = std::string_view("SQF").find(message.front()) != std::string_view::npos;
  connection.asked += asks ? 1 : 0;
  if (!connection.delaying) return connection.server.send(message);
  connection.delayed += message;
  if (asks) connection.client.close(), happened();
}

void CuttingProxy::from_server(Connection& connection) {
  connection.server.receive();
  std::string& in = connection.server.in;
  for (; connection.bare_bytes > 0 && !in.empty(); --connection.bare_bytes) {
    connection.client.send(in.substr(0, 1));
    in.erase(0, 1);
  }
  while (true) {
    const std::string message(first_message(in, true));
    if (message.empty()) return;
    in.erase(0, message.size());
    if (connection.lost != connection.given + 1) connection.client.send(message);
    if (message.front() != 'Z') continue;
    ++connection.given;
    if (connection.given == connection.lost) return connection.close(), happened();
    if (connection.delivering && connection.given == connection.asked) return connection.close();
  }
}

}  // namespace vtx::test
