/* SPDX-License-Identifier: MPL-2.0 */
//
// Many durable peers of one ROUTER: they attach, ask and go away, are answered while nobody is there, and get their answers when they are back.
// Says what a peer costs in memory, and what a message to one costs among few and among all.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <vector>

#include "campaigns.hpp"
#include "support.hpp"

namespace vtx::crash {
namespace {

constexpr int kTogether = 200;  // peers of one process at a time
constexpr int kFew = 10;

/// Each peer takes a descriptor of the ROUTER's process, as docs/operations.md says.
void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::string name_of(int peer) { return fmt::format("peer-{}", peer); }

std::size_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  return 0;
}

std::string receive(void* socket) {
  const auto deadline = Clock::now() + kDrainWithin;
  char text[64];
  int size = -1;
  while ((size = zmq_recv(socket, text, sizeof text, 0)) < 0)
    if (Clock::now() > deadline) die("nothing was received");
  return {text, static_cast<std::size_t>(size)};
}

void send_to(void* router, const std::string& peer, const std::string& text) {
  zmq_send(router, peer.data(), peer.size(), ZMQ_SNDMORE);
  zmq_send(router, text.data(), text.size(), 0);
}

void flush(const Station& station) {
  if (vtx_flush(station.vtx, station.socket, static_cast<int>(kDrainWithin.count())) != 0) die("cannot flush");
}

/// Runs the peers from `first` on in processes of their own. @param role  peers-ask or peers-fetch
void run_peers(const std::string& role, const std::string& endpoint, int first, int last) {
  for (int at = first; at < last; at += kTogether) {
    const int end_at = std::min(at + kTogether, last);
    const int code = end(start({role, endpoint, std::to_string(at), std::to_string(end_at)}));
    check(code == 0, fmt::format("{} {} to {}: {}", role, at, end_at, code));
  }
}

/// Receives a question of each and answers it.
void answer(void* router, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string peer = receive(router);
    check(receive(router) == "I am " + peer, "a question came from another than its identity says");
    send_to(router, peer, "you are " + peer);
  }
}

/// Microseconds for a message to one peer, durable.
double cost_of_a_message(const Station& router, const std::string& peer) {
  constexpr int kMessages = 20'000;
  const auto began = Clock::now();
  for (int i = 0; i < kMessages; ++i) send_to(router.socket, peer, "x");
  flush(router);
  return std::chrono::duration<double, std::micro>(Clock::now() - began).count() / kMessages;
}

}  // namespace

int peers_ask(const std::string& endpoint, int first, int last) {
  Station base(ZMQ_DEALER, endpoint, false, name_of(first));
  std::vector<void*> sockets{base.socket};
  for (int i = first + 1; i < last; ++i) {
    sockets.push_back(vtx_socket(base.vtx, ZMQ_DEALER));
    const std::string name = name_of(i);
    zmq_setsockopt(sockets.back(), ZMQ_ROUTING_ID, name.data(), name.size());
    if (vtx_connect(base.vtx, sockets.back(), endpoint.c_str()) != 0) die("cannot link " + name);
  }
  for (int i = first; i < last; ++i) {
    const std::string text = "I am " + name_of(i);
    zmq_send(sockets[static_cast<std::size_t>(i - first)], text.data(), text.size(), 0);
  }
  for (void* socket : sockets)
    if (vtx_flush(base.vtx, socket, static_cast<int>(kDrainWithin.count())) != 0) die("cannot flush");
  for (void* socket : sockets)
    if (socket != base.socket) vtx_close(base.vtx, socket);
  return 0;
}

int peers_fetch(const std::string& endpoint, int first, int last) {
  for (int i = first; i < last; ++i) {
    Station peer(ZMQ_DEALER, endpoint, false, name_of(i));
    const std::string got = receive(peer.socket);
    if (got != "you are " + name_of(i)) die(name_of(i) + " was told: " + got);
  }
  return 0;
}

int peers_campaign(int count) {
  raise_descriptor_limit();
  const Directory directory;
  const std::string endpoint = "sqlite://" + (directory / "q.db") + "?queue=q";
  Station router(ZMQ_ROUTER, endpoint, true);
  run_peers("peers-ask", endpoint, 0, kFew);
  answer(router.socket, kFew);
  const double among_few = cost_of_a_message(router, name_of(0));
  const std::size_t before = resident_kib();
  const auto began = Clock::now();
  run_peers("peers-ask", endpoint, kFew, count);
  answer(router.socket, count - kFew);
  flush(router);
  const auto attached = Clock::now();
  const double each = static_cast<double>(resident_kib() - before) / (count - kFew);
  const double among_all = cost_of_a_message(router, name_of(0));
  run_peers("peers-fetch", endpoint, kFew, count);
  const auto seconds = [](auto duration) { return std::chrono::duration<double>(duration).count(); };
  fmt::print(
      "{} peers attached, asked and went within {:.1f} s, and got their answers within {:.1f} s; {:.1f} KiB a peer\n"
      "a durable message to one: {:.1f} us among {}, {:.1f} us among {}\n",
      count, seconds(attached - began), seconds(Clock::now() - attached), each, among_few, kFew, among_all, count);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which take more than they look at
  check(each < 20, "a peer takes more than 20 KiB");
#endif
  return failures == 0 ? 0 : 1;
}

}  // namespace vtx::crash
