/* SPDX-License-Identifier: MPL-2.0 */
//
// Reading a history again: one late subscriber against a raw sequential read whose rows go through one inproc hop, and three late subscribers
// at once while the publisher goes on.
#include <algorithm>
#include <memory>

#include "cases.hpp"
#include "node.hpp"
#include "raw.hpp"
#include "relay.hpp"
#include "runs.hpp"

namespace vtx::bench {
namespace {

constexpr int kSubscribers = 3;

double read_raw(const std::string& path, const Options& options) {
  Raw raw(path, "forever", options.size);
  Hop hop(options.hwm);
  const auto start = Clock::now();
  Worker reader([&] { raw.hand_on(options.messages, hop.push()); });
  receive_numbered(hop.pull(), options.messages);
  reader.join();
  return static_cast<double>(options.messages) / seconds_since(start);
}

/// Messages a second that each of them got, history and live ones. Throws when one had a gap or a repeat.
double replay_to_three(const std::string& path, const Options& options) {
  Node node(options.hwm);
  Node publishing(options.hwm);
  const std::uint64_t live = std::max<std::uint64_t>(options.messages / 10, 1);
  const std::uint64_t all = options.messages + live;
  void* pub = publishing.open(ZMQ_PUB, endpoint_of(path, "forever"));
  std::vector<void*> subs;
  const auto start = Clock::now();
  for (int i = 0; i < kSubscribers; ++i)
    subs.push_back(node.open(ZMQ_SUB, endpoint_of(path, "forever") + "&from=oldest"));
  Worker publisher([&] {
    send_numbered(pub, live, options.size, options.messages);
    publishing.flush(pub);
  });
  std::vector<std::unique_ptr<Worker>> workers;
  for (void* sub : subs) workers.push_back(std::make_unique<Worker>([sub, all] { receive_numbered(sub, all); }));
  for (const auto& worker : workers) worker->join();
  publisher.join();
  return static_cast<double>(all) / seconds_since(start);
}

}  // namespace

Case replay(const Options& options) {
  Arena arena(options.directory);
  Series vtx{"VTX, one late subscriber", {}, {}};
  Series raw{"raw sequential read, one inproc hop", {}, {}, {}, 0.4};
  Series three{"VTX, each of three while the publisher goes on", {}, {}};
  for (std::size_t round = 0; round < options.rounds; ++round) {
    const std::string path = arena.fresh();
    write_history(path, options.messages, options.size);
    vtx.values.push_back(static_cast<double>(options.messages) / time_replay(endpoint_of(path, "forever"), options));
    raw.values.push_back(read_raw(path, options));
    raw.ratios.push_back(vtx.values.back() / raw.values.back());
    three.values.push_back(replay_to_three(path, options));
  }
  return {
      "replay", "read a history from its beginning", "messages/s", {std::move(vtx), std::move(raw), std::move(three)}};
}

}  // namespace vtx::bench
