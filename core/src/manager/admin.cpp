/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/admin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "codec/properties.hpp"
#include "endpoint/values.hpp"
#include "manager/admin_request.hpp"
#include "manager/log_extent.hpp"
#include "vtx/driver/options.hpp"

namespace vtx {

using namespace driver;
using nlohmann::json;

namespace {

constexpr u64 kListAtMost = 1000;
constexpr std::size_t kPreviewBytes = 120;
constexpr auto kTrimFor = std::chrono::seconds(1);  // then the caller has something to show, and may stop

constexpr std::array<std::string_view, 5> kBare{"queues", "show", "extent", "check", "migrate"};

using Request = AdminRequest;

json to_json(const QueueStats& queue) {
  json out{{"name", queue.name},
           {"retain", queue.declared.retain},
           {"limit", queue.declared.limit},
           {"messages", queue.messages},
           {"bytes", queue.bytes},
           {"delayed", queue.delayed},
           {"head", queue.head},
           {"tail", queue.tail},
           {"dead", queue.dead},
           {"groups", json::array()},
           {"counters", json::object()}};
  for (const GroupStats& group : queue.groups) out["groups"].push_back(group_to_json(group));
  for (const auto& [name, count] : queue.counters) out["counters"][name] = count;
  return out;
}

Result<json> show_queues(const Request& request) {
  auto answer = request.ask(Inspect{});
  if (!answer) return tl::unexpected<Status>(answer.error());
  json out{{"queues", json::array()}};
  for (const QueueStats& queue : answer->queues) out["queues"].push_back(to_json(queue));
  return out;
}

Result<json> show_queue(const Request& request) {
  const auto queue = inspect(request, false);
  if (!queue) return tl::unexpected<Status>(queue.error());
  return to_json(*queue);
}

Result<json> show_extent(const Request& request) {
  const auto extent =
      log_extent([&](Operation operation) { return request.ask(std::move(operation)); }, request.endpoint.options);
  if (!extent) return tl::unexpected<Status>(extent.error());
  return json{{"tail", extent->tail}, {"head", extent->head}};
}

/// The beginning of a body as text that any terminal and JSON reader can take.
std::string preview(std::span<const std::byte> body) {
  std::string text;
  for (const std::byte byte : body.first(std::min(body.size(), kPreviewBytes))) {
    const char c = static_cast<char>(byte);
    text += c >= ' ' && c <= '~' ? c : '.';
  }
  return text;
}

u64 number(std::string_view text) {
  u64 value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

json dead_to_json(const Message& message) {
  return {{"sequence", message.seq},
          {"group", property_of(message.properties, "Dead-Group")},
          {"reason", property_of(message.properties, "Dead-Reason")},
          {"deliveries", number(property_of(message.properties, "Dead-Deliveries"))},
          {"original_sequence", number(property_of(message.properties, "Dead-Sequence"))},
          {"stored", rfc3339(message.stored)},
          {"bytes", message.body.size()},
          {"frames", message.frames},
          {"preview", preview(message.body)}};
}

/// Dead letters are looked for by the name of the queue in which they died.
Status check_alive(const Request& request) {
  const std::string_view name = request.queue();
  if (!is_dead_letter_queue(name)) return {};
  return {Code::invalid, fmt::format("'{}' holds dead letters itself: name the queue in which they died, '{}'", name,
                                     name.substr(0, name.rfind('.')))};
}

Result<json> list_dead(const Request& request) {
  u64 wanted = kListAtMost;
  if (request.words.size() > 2) {
    const auto count = parse_count(request.words[2], {1, std::numeric_limits<u64>::max()});
    if (!count) return tl::unexpected<Status>(count.error());
    wanted = *count;
  }
  json out{{"queue", request.queue()}, {"messages", json::array()}};
  auto known = request.ask(Inspect{request.queue() + ".dead"});
  if (!known && known.error().code() != Code::not_found) return tl::unexpected<Status>(known.error());
  if (!known || known->queues.empty()) {
    auto queue = show_queue(request);
    return queue ? Result<json>(out) : queue;
  }
  OpenQueue open;
  open.queue = request.queue() + ".dead";
  open.create = false;
  auto queue = request.ask(open);
  if (!queue) return tl::unexpected<Status>(queue.error());
  auto stream = request.ask(OpenStream{queue->id, "main", {}, 0});
  if (!stream) return tl::unexpected<Status>(stream.error());
  Seq from = 1;
  while (out["messages"].size() < wanted) {
    auto read = request.ask(
        Read{stream->id,
             from,
             {static_cast<u32>(std::min<u64>(wanted - out["messages"].size(), kMaxBatch)), kMaxBatchBytes}});
    if (!read) return tl::unexpected<Status>(read.error());
    if (read->messages.empty()) break;
    for (const Message& message : read->messages) out["messages"].push_back(dead_to_json(message));
    from = read->messages.back().seq + 1;
  }
  return out;
}

Result<json> steer_dead(const Request& request, Verb verb) {
  if (request.words.size() != 3)
    return fail(Code::invalid, "name the message's sequence in the dead-letter queue, or all");
  Steer steer;
  steer.verb = verb;
  steer.queue = request.queue();
  steer.seq = request.words[2] == "all" ? 0 : number(request.words[2]);
  if (steer.seq == 0 && request.words[2] != "all")
    return fail(Code::invalid, fmt::format("'{}' is no sequence: use a number, or all", request.words[2]));
  auto answer = request.ask(steer);
  if (!answer) return tl::unexpected<Status>(answer.error());
  return json{{"count", answer->count}};
}

/// What "trim before WHERE" and "trim keep N" mean.
Result<Steer> parse_trim(const Request& request) {
  const auto& words = request.words;
  Steer steer;
  steer.verb = Verb::trim;
  steer.queue = request.queue();
  if (is_dead_letter_queue(steer.queue))
    return fail(Code::invalid, fmt::format("'{}' holds dead letters: drop them with 'dead drop'", steer.queue));
  if (words.size() == 3 && words[1] == "before") {
    if (const auto start = parse_start(words[2]); !start) return fail(Code::invalid, start.error().text());
    steer.from = words[2];
    return steer;
  }
  if (words.size() == 3 && words[1] == "keep") {
    const auto count = parse_count(words[2], {0, std::numeric_limits<u64>::max()});
    if (!count) return tl::unexpected<Status>(count.error());
    steer.keep = *count;
    return steer;
  }
  return fail(Code::invalid, "say how far to trim: before WHERE, or keep N");
}

/// Step after step for a while. What was removed until something failed is answered as such; asking again tells what it was.
Result<json> trim(const Request& request) {
  const auto steer = parse_trim(request);
  if (!steer) return tl::unexpected<Status>(steer.error());
  const auto begin = std::chrono::steady_clock::now();
  u64 count = 0;
  bool more = true;
  while (more && (count == 0 || std::chrono::steady_clock::now() - begin < kTrimFor)) {
    auto answer = request.ask(*steer);
    if (!answer && count == 0) return tl::unexpected<Status>(answer.error());
    if (!answer) break;
    count += answer->count;
    more = answer->more;
  }
  return json{{"count", count}, {"more", more}};
}

/// The commands that nothing, or a count, may follow. The others look at all of their words themselves.
Status check_end(const Request& request) {
  const auto& words = request.words;
  const bool bare = std::ranges::find(kBare, request.word(0)) != kBare.end();
  const bool list = request.word(0) == "dead" && request.word(1) == "list";
  if (bare && words.size() > 1)
    return {Code::invalid, fmt::format("'{}' is one word too many: {} takes none", words[1], words[0])};
  if (list && words.size() > 3)
    return {Code::invalid, fmt::format("'{}' is one word too many: dead list takes a count at most", words[3])};
  return {};
}

Result<json> run(const Request& request) {
  const auto& words = request.words;
  if (Status status = check_end(request); !status.ok()) return tl::unexpected<Status>(status);
  const auto is = [&](std::size_t index, const char* word) { return words.size() > index && words[index] == word; };
  if (is(0, "queues")) return show_queues(request);
  if (is(0, "show")) return show_queue(request);
  if (is(0, "extent")) return show_extent(request);
  if (is(0, "check") || is(0, "migrate")) return run_check(request);
  if (is(0, "dead"))
    if (Status status = check_alive(request); !status.ok()) return tl::unexpected<Status>(status);
  if (is(0, "dead") && is(1, "list")) return list_dead(request);
  if (is(0, "dead") && is(1, "requeue")) return steer_dead(request, Verb::dead_requeue);
  if (is(0, "dead") && is(1, "drop")) return steer_dead(request, Verb::dead_drop);
  if (is(0, "trim")) return trim(request);
  if (is(0, "groups")) return run_groups(request);
  return fail(Code::invalid,
              "unknown command: use queues, show, extent, check, migrate, trim, groups list|seek|drop, or dead "
              "list|requeue|drop");
}

}  // namespace

Result<std::string> run_admin(StoreInstance& instance, const LinkEndpoint& endpoint, const std::string& command,
                              Ms timeout) {
  Request request{instance, endpoint, {}, timeout};
  std::istringstream words(command);
  for (std::string word; words >> word;) request.words.push_back(word);
  auto answer = run(request);
  if (!answer) return tl::unexpected<Status>(answer.error());
  return answer->dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace vtx
