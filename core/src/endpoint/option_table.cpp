/* SPDX-License-Identifier: MPL-2.0 */
#include "endpoint/option_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "endpoint/characters.hpp"
#include "endpoint/uri.hpp"
#include "endpoint/values.hpp"
#include "vtx/driver/options.hpp"

namespace vtx {
namespace {

using namespace std::chrono_literals;
using driver::Ms;
using driver::u32;

/// A lease is renewed by beats several times within it: shorter ones would make a busy machine fence live consumers.
constexpr Range<Ms> kLease{100ms, 24h * 7};
/// Longer than a thread takes to wake up, by far: what goes on for longer is not a moment but a processor given away.
constexpr std::chrono::microseconds kBusyPoll{10'000};
constexpr Range<Ms> kHold{1ms, 24h * 365};
constexpr Range<std::uint64_t> kPrefetch{1, 1'000'000};
constexpr Range<std::uint64_t> kPrefetchBytes{1, 64ULL << 30};
constexpr Range<std::uint64_t> kDeliveries{1, std::numeric_limits<u32>::max()};

/// Stores a parsed value, or hands the failure on.
template <class T, class Target>
Status store(Result<T> parsed, Target& target) {
  if (!parsed) return std::move(parsed).error();
  target = static_cast<Target>(std::move(*parsed));
  return {};
}

Status parse_queue(std::string_view text, LinkOptions& options) { return store(parse_queue_name(text), options.queue); }
Status parse_group(std::string_view text, LinkOptions& options) { return store(parse_name(text), options.group); }

Status parse_groups(std::string_view text, LinkOptions& options) {
  while (true) {
    const std::size_t end = std::min(text.find(','), text.size());
    auto name = parse_name(text.substr(0, end));
    if (!name) return std::move(name).error();
    options.groups.push_back(std::move(*name));
    if (end == text.size()) return {};
    text.remove_prefix(end + 1);
  }
}

Status parse_ack(std::string_view text, LinkOptions& options) {
  static constexpr std::array<std::string_view, 4> kNames{"release", "next", "manual", "none"};  // as enum Ack
  return store(parse_choice(text, kNames), options.ack);
}

Status parse_hold(std::string_view text, LinkOptions& options) {
  if (text != "none") return store(parse_time(text, kHold), options.hold);
  options.hold = 0ms;
  return {};
}

Status parse_durability(std::string_view text, LinkOptions& options) {
  static constexpr std::array<std::string_view, 2> kNames{"async", "sync"};  // as bool sync
  return store(parse_choice(text, kNames), options.sync);
}

Status parse_prefetch(std::string_view text, LinkOptions& options) {
  return store(parse_count(text, kPrefetch), options.prefetch);
}
Status parse_prefetch_bytes(std::string_view text, LinkOptions& options) {
  return store(parse_size(text, kPrefetchBytes), options.prefetch_bytes);
}
Status parse_lease(std::string_view text, LinkOptions& options) {
  return store(parse_time(text, kLease), options.lease);
}

Status parse_max_deliveries(std::string_view text, LinkOptions& options) {
  return store(parse_count(text, kDeliveries).map([](std::uint64_t n) { return static_cast<u32>(n); }),
               options.max_deliveries);
}

Status parse_retain(std::string_view text, LinkOptions& options) {
  return store(driver::parse_retention(text).map([](const driver::Retention& r) { return driver::to_text(r); }),
               options.retain);
}

Status parse_queue_limit(std::string_view text, LinkOptions& options) {
  return store(driver::parse_limit(text).map([](const driver::QueueLimit& limit) { return driver::to_text(limit); }),
               options.limit);
}

Status parse_subscription(std::string_view text, LinkOptions& options) {
  return store(parse_name(text), options.subscription);
}

/// Only checked here: what it means is for the store's clock to say.
Status parse_from(std::string_view text, LinkOptions& options) {
  return store(driver::parse_start(text).map([&](const driver::Start&) { return std::string(text); }), options.from);
}

Status parse_visible_after(std::string_view text, LinkOptions& options) {
  return store(parse_delay(text), options.delay);
}
Status parse_time_to_live(std::string_view text, LinkOptions& options) { return store(parse_ttl(text), options.ttl); }
Status parse_rank(std::string_view text, LinkOptions& options) { return store(parse_priority(text), options.priority); }

Status parse_with_properties(std::string_view text, LinkOptions& options) {
  static constexpr std::array<std::string_view, 2> kNames{"off", "on"};  // as bool properties
  return store(parse_choice(text, kNames), options.properties);
}

Status parse_log(std::string_view text, LinkOptions& options) {
  constexpr std::string_view kPeer = "peer:";
  if (text.starts_with(kPeer) && text.size() > kPeer.size()) {
    options.log = "mailbox";
    options.log_peer = text.substr(kPeer.size());
    return {};
  }
  static constexpr std::array<std::string_view, 3> kNames{"main", "up", "down"};
  if (std::ranges::find(kNames, text) == kNames.end())
    return Status(Code::invalid, "a stream is called main, up, down or peer:ROUTING-ID");
  options.log = text;
  return {};
}

Status parse_full(std::string_view text, LinkOptions& options) {
  static constexpr std::array<std::string_view, 2> kNames{"drop", "block"};  // as bool blocks_when_full
  return store(parse_choice(text, kNames), options.blocks_when_full);
}

Status parse_busy_poll(std::string_view text, LinkOptions& options) {
  return store(parse_moment(text, kBusyPoll), options.busy_poll);
}

constexpr auto kBoth = OptionOf::both;
constexpr auto kProducers = OptionOf::producers;
constexpr auto kConsumers = OptionOf::consumers;

constexpr std::array kTable{
    OptionRow{"queue", kBoth, "", "0.1", "default, a name", "the queue inside the store; NAME.dead may be consumed",
              parse_queue},
    OptionRow{"group", kConsumers, "PULL", "0.1", "default, a name",
              "every group gets every message, its members compete", parse_group},
    OptionRow{"groups", kBoth, "PUSH PULL PUB XPUB SUB XSUB", "0.1", "names",
              "groups that hold back retention from the queue's creation on; its creator declares them", parse_groups},
    OptionRow{"subscription", kConsumers, "SUB XSUB", "0.1", "none, a name", "a durable cursor, its members compete",
              parse_subscription},
    OptionRow{"from", kConsumers, "PULL SUB XSUB REP DEALER ROUTER PAIR", "0.1",
              "oldest (SUB now), seq:N, time:RFC 3339, -AGE", "where a new group or reader begins", parse_from},
    OptionRow{"ack", kConsumers, "PULL SUB XSUB DEALER ROUTER PAIR", "0.1", "release, next, manual, none",
              "what settles a message", parse_ack},
    OptionRow{"hold", kConsumers, "PULL SUB XSUB REP DEALER ROUTER PAIR", "0.1", "none, a time",
              "a message unsettled for so long goes to another", parse_hold},
    OptionRow{"durability", kProducers, "", "0.1", "sync, async",
              "what a sent message survives: loss of power, or only the process", parse_durability},
    OptionRow{"prefetch", kConsumers, "", "0.1", "1000, a count", "messages in hand at most", parse_prefetch},
    OptionRow{"prefetch_bytes", kConsumers, "", "0.1", "64MiB, a size", "bytes in hand at most", parse_prefetch_bytes},
    OptionRow{"lease", kConsumers, "", "0.1", "5s, a time", "how soon a dead consumer's messages go to another",
              parse_lease},
    OptionRow{"max_deliveries", kConsumers, "", "0.1", "10, a count", "deliveries before a message goes to NAME.dead",
              parse_max_deliveries},
    OptionRow{"retain", kBoth, "", "0.1", "consumed (PUB 7d), forever, an age, a count, a size",
              "how long messages stay; the queue's creator declares it", parse_retain},
    OptionRow{"limit", kBoth, "", "0.1", "none, a count, a size",
              "a full queue blocks its senders; the queue's creator declares it", parse_queue_limit},
    OptionRow{"delay", kProducers, "", "0.1", "none, a time", "messages become visible so much later",
              parse_visible_after},
    OptionRow{"ttl", kProducers, "", "0.1", "none, a time", "messages expire so much later", parse_time_to_live},
    OptionRow{"priority", kProducers, "", "0.1", "0 to 9", "each priority is drained before the ones below it",
              parse_rank},
    OptionRow{"busy_poll", kBoth, "", "0.1", "none, a time up to 10ms (50us)",
              "how long the driver thread looks for work before it sleeps", parse_busy_poll},
    OptionRow{"properties", kBoth, "", "0.1", "off, on", "a trailing frame of Name: value lines",
              parse_with_properties},
    OptionRow{"spool", kProducers, "", "", "none, an endpoint", "a local store to write to while this one is away",
              nullptr},
    OptionRow{"spool_max", kProducers, "", "", "none, a size", "how large the spool may grow", nullptr},
    OptionRow{"full", kProducers, "ROUTER", "0.1", "drop, block", "what to do at a peer's high-water mark", parse_full},
    OptionRow{"peer_priority", kProducers, "", "", "0, a count", "peers of a network wire that come first", nullptr},
    OptionRow{"peer_weight", kProducers, "", "", "1, a count", "a peer's share among those of its priority", nullptr},
    OptionRow{"log", kConsumers, "SUB XSUB", "0.1", "main, up, down, peer:ID", "the stream of a queue to read",
              parse_log},
};

}  // namespace

std::span<const OptionRow> option_table() { return kTable; }

const std::string& option_table_as_json() {
  static const std::string text = [] {
    static constexpr std::array kOf{"both", "producers", "consumers"};  // as enum OptionOf
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const OptionRow& row : kTable)
      if (!row.since.empty())
        list.push_back({{"name", row.name},
                        {"of", kOf.at(static_cast<std::size_t>(row.of))},
                        {"types", row.types},
                        {"values", row.values},
                        {"help", row.help}});
    return list.dump();
  }();
  return text;
}

const OptionRow* find_option(std::string_view name) {
  const auto found = std::find_if(kTable.begin(), kTable.end(), [&](const OptionRow& row) { return row.name == name; });
  return found == kTable.end() ? nullptr : &*found;
}

}  // namespace vtx
