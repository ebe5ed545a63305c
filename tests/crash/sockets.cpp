/* SPDX-License-Identifier: MPL-2.0 */
//
// Sockets that are plainly closed, thousands of them: each one's message arrives, and nothing is left behind.
#include <fmt/format.h>

#include <thread>

#include "campaigns.hpp"
#include "support.hpp"

namespace vtx::crash {
namespace {

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// True when the stats of no socket of `sockets` are known any more, within the deadline.
bool forgotten(vtx_t* vtx, const std::vector<void*>& sockets) {
  const auto deadline = Clock::now() + kDrainWithin;
  for (void* socket : sockets) {
    vtx_stats_t stats{};
    stats.struct_size = sizeof stats;
    while (vtx_stats(vtx, socket, nullptr, &stats) == 0) {
      if (Clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(5));
    }
  }
  return true;
}

}  // namespace

int sockets_campaign(int count) {
  const Directory directory;
  const std::string endpoint = "sqlite://" + (directory / "q.db") + "?queue=jobs";
  {
    Station anchor(ZMQ_PULL, endpoint + "&group=anchor");
    const std::size_t before = open_descriptors();
    // Many at once, and one after the other, within the descriptors that every user has.
    std::vector<void*> closed;
    std::vector<void*> at_once;
    for (int i = 1; i <= count; ++i) {
      void* socket = vtx_socket(anchor.vtx, ZMQ_PUSH);
      if (socket == nullptr || vtx_connect(anchor.vtx, socket, endpoint.c_str()) != 0)
        die("cannot link another socket");
      const std::string text = std::to_string(i);
      if (zmq_send(socket, text.data(), text.size(), 0) < 0) die("cannot send");
      at_once.push_back(socket);
      if (at_once.size() < 100 && i < count) continue;
      for (void* one : at_once) zmq_close(one);
      check(forgotten(anchor.vtx, at_once), "a closed socket still has a link");
      at_once.clear();
    }
    std::vector<bool> seen(static_cast<std::size_t>(count) + 1, false);
    int missing = count;
    for (const auto deadline = Clock::now() + kDrainWithin; missing > 0 && Clock::now() < deadline;) {
      char text[16] = "";
      if (zmq_recv(anchor.socket, text, sizeof text - 1, 0) < 0) continue;
      const auto number = static_cast<std::size_t>(std::atoi(text));
      check(!seen.at(number), "a message came twice");
      seen[number] = true;
      --missing;
    }
    check(missing == 0, fmt::format("{} messages were lost", missing));
    const auto deadline = Clock::now() + kDrainWithin;
    while (open_descriptors() > before && Clock::now() < deadline) std::this_thread::sleep_for(milliseconds(10));
    fmt::print("{} sockets, {} descriptors before, {} after\n", count, before, open_descriptors());
    check(open_descriptors() <= before, "descriptors were left behind");
  }
  check(ask_database(directory / "q.db", "PRAGMA integrity_check") == "ok", "the database is damaged");
  return failures == 0 ? 0 : 1;
}

}  // namespace vtx::crash
