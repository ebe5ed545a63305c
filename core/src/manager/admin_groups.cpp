/* SPDX-License-Identifier: MPL-2.0 */
//
// The operator's commands on groups: which there are, where one goes on, and the end of one.
#include <fmt/format.h>

#include <algorithm>

#include "codec/properties.hpp"
#include "manager/admin_request.hpp"
#include "pattern/filter.hpp"
#include "util/nearest.hpp"
#include "vtx/driver/options.hpp"

namespace vtx {

using namespace driver;
using nlohmann::json;

namespace {

json subscriptions_of(const Filter& filter) {
  json list = json::array();
  for (const std::string& prefix : filter.prefixes()) list.push_back(printable(prefix));
  return list;
}

Result<json> list_groups(const AdminRequest& request) {
  const bool all = request.word(2) == "all";
  if (request.words.size() > (all ? 3U : 2U))
    return fail(Code::invalid, "say groups list, or groups list all, which names empty mailboxes too");
  const auto queue = inspect(request, all);
  if (!queue) return tl::unexpected<Status>(queue.error());
  json out{{"queue", queue->name}, {"groups", json::array()}};
  for (const GroupStats& group : queue->groups) out["groups"].push_back(group_to_json(group));
  return out;
}

/// That there is no such group, and which one was probably meant.
Status unknown_group(const AdminRequest& request, const Status& answer) {
  const auto queue = inspect(request, true);
  if (!queue) return queue.error();
  std::vector<std::string_view> names;
  for (const GroupStats& group : queue->groups) names.push_back(group.name);
  if (std::ranges::find(names, request.word(2)) != names.end()) return answer;
  const auto meant = nearest(request.word(2), names);
  return Status(
      Code::not_found,
      fmt::format("queue '{}' in {} has no group '{}'{}", queue->name, request.endpoint.address.text, request.word(2),
                  meant.empty() ? "; 'groups list' names them" : fmt::format("; is '{}' meant?", meant)));
}

Result<Completion> steer(const AdminRequest& request, Steer wanted) {
  wanted.queue = request.queue();
  wanted.group = request.word(2);
  auto answer = request.ask(std::move(wanted));
  if (!answer && answer.error().code() == Code::not_found)
    return tl::unexpected<Status>(unknown_group(request, answer.error()));
  return answer;
}

Result<json> seek(const AdminRequest& request) {
  if (request.words.size() != 4) return fail(Code::invalid, "name the group and the place: groups seek GROUP WHERE");
  if (const auto start = parse_start(request.words[3]); !start) return fail(Code::invalid, start.error().text());
  Steer wanted;
  wanted.verb = Verb::seek;
  wanted.from = request.words[3];
  const auto answer = steer(request, std::move(wanted));
  if (!answer) return tl::unexpected<Status>(answer.error());
  return json{{"count", answer->count}, {"position", answer->first}, {"head", answer->head}};
}

Result<json> drop(const AdminRequest& request) {
  const bool force = request.word(3) == "force";
  if (request.words.size() != (force ? 4U : 3U))
    return fail(Code::invalid, "name the group: groups drop GROUP [force]");
  Steer wanted;
  wanted.verb = Verb::drop_group;
  wanted.force = force;
  const auto answer = steer(request, std::move(wanted));
  if (!answer) return tl::unexpected<Status>(answer.error());
  return json{{"count", answer->count}};
}

}  // namespace

json group_to_json(const GroupStats& group) {
  json out{{"name", group.name},
           {"depth", group.depth},
           {"claimed", group.claimed},
           {"retrying", group.retrying},
           {"trimmed", group.trimmed},
           {"position", group.position},
           {"oldest", group.oldest == StoreTime{} ? std::string() : rfc3339(group.oldest)}};
  if (const auto filter = Filter::decode(group.filter); filter && !filter->empty())
    out["subscriptions"] = subscriptions_of(*filter);
  return out;
}

Result<QueueStats> inspect(const AdminRequest& request, bool mailboxes) {
  auto answer = request.ask(Inspect{request.queue(), mailboxes});
  if (!answer) return tl::unexpected<Status>(answer.error());
  if (answer->queues.empty())
    return fail(Code::not_found,
                fmt::format("there is no queue '{}' in {}", request.queue(), request.endpoint.address.text));
  return std::move(answer->queues.front());
}

Result<json> run_groups(const AdminRequest& request) {
  const std::string verb = request.word(1);
  if (verb == "list") return list_groups(request);
  if (verb == "seek") return seek(request);
  if (verb == "drop") return drop(request);
  return fail(Code::invalid, "unknown command: use groups list, seek or drop");
}

}  // namespace vtx
