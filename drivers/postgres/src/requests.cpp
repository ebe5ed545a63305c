/* SPDX-License-Identifier: MPL-2.0 */
#include "requests.hpp"

#include <algorithm>

#include "commit_request.hpp"
#include "texts.hpp"
#include "vtx/driver/names.hpp"
#include "vtx/driver/options.hpp"

namespace vtx::postgres {
namespace {

using namespace driver;

std::int32_t small(Id id) { return static_cast<std::int32_t>(std::min<Id>(id, INT32_MAX)); }

struct StartText {
  const char* kind = "oldest";
  std::int64_t value = 0;
};

/// A text that check() has let pass.
StartText start_of(const std::string& from) {
  const auto start = parse_start(from.empty() ? "oldest" : from).value_or(Start{});
  switch (start.kind) {
    case Start::Kind::oldest: break;
    case Start::Kind::now: return {"now", 0};
    case Start::Kind::seq: return {"seq", static_cast<std::int64_t>(std::min<u64>(start.seq, INT64_MAX))};
    case Start::Kind::time: return {"time", start.time.time_since_epoch().count()};
    case Start::Kind::age: return {"age", start.age.count()};
  }
  return {};
}

Status check_from(const std::string& from) {
  const auto start = parse_start(from);
  return start ? Status() : Status(Code::invalid, "option 'from': " + start.error().text());
}

/// What `retain` means, as two columns. A word that this library does not know takes nothing away.
std::pair<const char*, std::int64_t> keep_of(const std::string& retain) {
  using Kind = Retention::Kind;
  const auto retention = parse_retention(retain).value_or(Retention{Kind::forever, {}, 0});
  const auto amount = static_cast<std::int64_t>(std::min<u64>(retention.amount, INT64_MAX));
  switch (retention.kind) {
    case Kind::consumed: return {"consumed", 0};
    case Kind::forever: break;
    case Kind::age: return {"age", retention.age.count()};
    case Kind::count: return {"count", amount};
    case Kind::size: return {"size", amount};
  }
  return {"forever", 0};
}

void add_limit(Parameters& to, u64 amount) {
  if (amount == UINT64_MAX)
    to.add_null(kInt8);
  else
    to.add(std::min<u64>(amount, INT64_MAX));
}

void add_texts(Parameters& to, const std::vector<std::string>& texts) {
  to.begin_array(kText);
  for (const auto& text : texts) to.element(std::string_view(stored_name(text)));
  to.end_array();
}

/// A role that may only look is not let in to the function that can make or change a queue.
bool only_looks(const OpenQueue& open) {
  return !open.create && !open.change && !open.retain && !open.limit && open.groups.empty() && open.role.empty() &&
         open.excludes.empty();
}

/// What begins every call. Each overload says what follows.
struct Maker {
  const std::string& schema;
  const Life& life;
  std::int32_t turn;

  Request call(const char* function, int more) const { return postgres::call(schema, life, function, more); }

  Request operator()(const Commit& commit) const { return make_commit(schema, life, commit); }

  Request operator()(const OpenQueue& open) const {
    if (only_looks(open)) {
      Request request = call("look_at_queue", 1);
      request.parameters.add(open.queue);
      return request;
    }
    Request request = call("open_queue", 14);
    const std::string retain = open.retain.value_or(open.defaults.retain);
    const std::string limit = open.limit.value_or(open.defaults.limit);
    const auto keep = keep_of(retain);
    const auto most = parse_limit(limit).value_or(QueueLimit{});
    Parameters& to = request.parameters;
    to.add(open.queue).add(retain).add(keep.first).add(keep.second).add(open.retain.has_value()).add(limit);
    add_limit(to, most.messages);
    add_limit(to, most.bytes);
    to.add(open.limit.has_value()).add(open.create).add(open.change);
    add_texts(to, open.groups);
    to.add(open.role);
    add_texts(to, open.excludes);
    request.durable = true;
    return request;
  }
  Request operator()(const OpenStream& open) const {
    Request request = open.create ? call("open_stream", 5) : call("look_at_stream", 4);
    request.parameters.add(small(open.queue))
        .add(open.kind)
        .add(stored_name(open.peer))
        .add(std::int32_t{open.priority});
    if (!open.create) return request;
    request.parameters.add(open.create);
    request.durable = true;
    return request;
  }
  Request operator()(const OpenGroup& open) const {
    Request request = call("open_group", 9);
    const auto start = start_of(open.from);
    Parameters& to = request.parameters;
    to.add(small(open.queue))
        .add(open.kind)
        .add(stored_name(open.peer))
        .add(stored_name(open.name))
        .add(start.kind)
        .add(start.value);
    if (open.filter)
      to.add_bytes(std::as_bytes(std::span(*open.filter)));
    else
      to.add_null(kBytea);
    if (open.max_deliveries)
      to.add(static_cast<std::int32_t>(std::min<u32>(*open.max_deliveries, INT32_MAX)));
    else
      to.add_null(kInt4);
    to.add(static_cast<std::int32_t>(std::min<u32>(open.default_max_deliveries, INT32_MAX)));
    request.durable = true;
    return request;
  }
  Request operator()(const ListPeers& list) const {
    Request request = call("list_peers", 3);
    request.parameters.add(small(list.queue)).add(small(list.after)).add(list.anonymous);
    return request;
  }
  Request operator()(const Hold& hold) const {
    Request request = call("hold_name", 4);
    request.parameters.add(small(hold.queue)).add(stored_name(hold.what)).add(hold.holder).add(hold.release);
    return request;
  }
  Request operator()(const Forget& forget) const {
    Request request = call("forget_producer", 1);
    request.parameters.add_uuid(forget.producer);
    return request;
  }
  Request operator()(const ClaimNext& next) const {
    Request request = call("claim_next", 7);
    request.parameters.add(small(next.group))
        .add(next.holder)
        .add(next.number)
        .add(static_cast<std::int32_t>(std::min(next.limit.messages, kMaxBatch)))
        .add(std::min<u64>(next.limit.bytes, INT64_MAX))
        .add(next.alone)
        .add(next.uncounted);
    return request;
  }
  /// Never sent: nobody is waked in place of another.
  Request operator()(const StopWaiting&) const { return {}; }
  Request operator()(const Locate& locate) const {
    Request request = call("locate", 3);
    const auto start = start_of(locate.from);
    request.parameters.add(small(locate.stream)).add(start.kind).add(start.value);
    return request;
  }
  Request operator()(const Read& read) const {
    Request request = call("read_stream", 4);
    request.parameters.add(small(read.stream))
        .add(std::min<u64>(read.from, INT64_MAX))
        .add(static_cast<std::int32_t>(std::min(read.limit.messages, kMaxBatch)))
        .add(std::min<u64>(read.limit.bytes, INT64_MAX));
    return request;
  }
  Request operator()(const Beat& beat) const {
    Request request = call("beat", 2);
    request.parameters.add(beat.holder).add(std::int64_t{beat.lease.count()});
    return request;
  }
  Request operator()(const TakeOver& take) const {
    Request request = call("take_over", 2);
    request.parameters.add(take.holder).add(take.seen);
    return request;
  }
  Request operator()(const Tend& tend) const {
    Request request = call("tend", 2);
    request.parameters.add(tend.queue).add(turn);
    return request;
  }
  Request operator()(const Steer& steer) const {
    const auto start = start_of(steer.from);
    const auto group = parse_group_name(steer.group);
    switch (steer.verb) {
      case Verb::dead_requeue:
      case Verb::dead_drop: {
        Request request = call("steer_dead", 3);
        request.parameters.add(steer.queue).add(std::min<u64>(steer.seq, INT64_MAX)).add(steer.verb == Verb::dead_drop);
        return request;
      }
      case Verb::trim: {
        Request request = call("trim_queue", 4);
        request.parameters.add(steer.queue).add(start.kind).add(start.value);
        if (steer.keep)
          request.parameters.add(std::min<u64>(*steer.keep, INT64_MAX));
        else
          request.parameters.add_null(kInt8);
        return request;
      }
      case Verb::seek:
      case Verb::drop_group: break;
    }
    const bool seek = steer.verb == Verb::seek;
    Request request = call(seek ? "seek_group" : "drop_group", seek ? 7 : 6);
    request.parameters.add(steer.queue)
        .add(group.kind)
        .add(stored_name(group.peer))
        .add(stored_name(group.name))
        .add(stored_name(steer.group));
    if (seek)
      request.parameters.add(start.kind).add(start.value);
    else
      request.parameters.add(steer.force);
    return request;
  }
  Request operator()(const Inspect& inspect) const {
    Request request = call("inspect", 2);
    request.parameters.add(inspect.queue).add(inspect.mailboxes);
    return request;
  }
  Request operator()(const Check&) const { return call("check_store", 0); }
};

}  // namespace

Request call(const std::string& schema, const Life& life, const char* function, int more) {
  Request request;
  request.statement = "SELECT * FROM \"" + schema + "\"." + function + "($1,$2";
  for (int i = 0; i < more; ++i) request.statement += ",$" + std::to_string(i + 3);
  request.statement += ')';
  request.parameters.add_uuid(life.life).add(std::int64_t{life.mark});
  return request;
}

Status check(const Operation& operation) {
  if (const auto* commit = std::get_if<Commit>(&operation)) return check_commit(*commit);
  if (const auto* open = std::get_if<OpenGroup>(&operation))
    return open->from.empty() ? Status() : check_from(open->from);
  if (const auto* locate = std::get_if<Locate>(&operation)) return check_from(locate->from);
  if (const auto* steer = std::get_if<Steer>(&operation)) {
    const bool goes_by_it = steer->verb == Verb::seek || (steer->verb == Verb::trim && !steer->keep);
    if (const auto start = parse_start(steer->from); goes_by_it && !start) return {Code::invalid, start.error().text()};
  }
  return {};
}

Request make_request(const std::string& schema, const Life& life, const Operation& operation, std::int32_t turn) {
  return std::visit(Maker{schema, life, turn}, operation);
}

}  // namespace vtx::postgres
