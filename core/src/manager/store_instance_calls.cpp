/* SPDX-License-Identifier: MPL-2.0 */
//
// What application threads ask of a store's driver thread: each posts its action there, and waits for the answer where it needs one.
#include <fmt/format.h>

#include <algorithm>

#include "bridge/counterpart.hpp"
#include "bridge/reaper.hpp"
#include "bridge/router_pipes.hpp"
#include "manager/log_extent.hpp"
#include "manager/question.hpp"
#include "manager/store_instance.hpp"
#include "pattern/lanes.hpp"
#include "vtx/driver/names.hpp"

namespace vtx {

using namespace driver;

namespace {

constexpr Ms kAnswerWithin{1000};   // vtx_bind waits so long for the store
constexpr Ms kDriverWithin{30000};  // a driver thread that does not answer for so long is stuck in a disk

/// The driver's end for a socket of this type.
/// @param late  the store is not there yet, and the application wants to send only when it is
Result<std::unique_ptr<Pipe>> make_pipe(void* context, const Pattern& pattern, bool blocks, bool late) {
  if (pattern.envelope == Envelope::identity) return RouterPipes::create(context, blocks);
  Counterpart::Kind kind;
  kind.type = pattern.counterpart;
  kind.unbounded = pattern.envelope == Envelope::reply;  // REP would drop the reply that finds the pipe full
  kind.subscribes = pattern.publisher;
  kind.late = late && (pattern.out == Out::any || pattern.out == Out::all);
  kind.takes_probe = pattern_of(pattern.type)->mailbox == Mailbox::each;  // the socket sends it, whatever its links do
  return Counterpart::create(context, kind);
}

/// In milliseconds. The store's clock may be ahead of ours.
std::uint64_t age_of(StoreTime stored) {
  return static_cast<std::uint64_t>(std::max(Ms(0), system_clock().wall() - stored).count());
}

/// Lets the application's socket process what other threads have told it. In a thread that may use the socket.
void process_commands(void* socket) {
  int events = 0;
  std::size_t size = sizeof events;
  (void)zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size);
}

/// A pipe keeps its identity while it has something unread, and while a link that could not end has its end: from now on whoever comes
/// with that identity takes it over, where libzmq would ignore it. For good, since nobody tells when the pipe is gone.
void let_identities_be_taken_over(void* socket) {
  const int one = 1;
  (void)zmq_setsockopt(socket, ZMQ_ROUTER_HANDOVER, &one, sizeof one);
}

}  // namespace

void StoreInstance::post(std::function<void()> action) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(action));
  }
  bell_.ring();
}

void StoreInstance::in_driver(std::function<void()> action) {
  const auto call = std::make_shared<Call<bool>>();
  post([action = std::move(action), call] {
    action();
    call->answer(true);
  });
  (void)call->wait(Ms(-1));  // the action may refer to what is on our stack
}

Result<std::vector<std::string>> StoreInstance::open(LinkId id, LinkRequest request) {
  void* socket = request.socket;
  const Pattern& pattern = *request.pattern;
  const bool blocks = request.endpoint.options.blocks_when_full;
  const bool immediate = request.immediate;
  const auto call = std::make_shared<Call<Status>>();
  post([this, id, request = std::move(request), call]() mutable { start_link(id, std::move(request), call); });
  const auto status = call->wait(kAnswerWithin);
  if (status && !status->ok()) return tl::unexpected<Status>(*status);
  auto pipe = make_pipe(context_, pattern, blocks, immediate && !status);
  if (const auto late = call->wait(Ms(0)); late && !late->ok()) return tl::unexpected<Status>(*late);
  const Status joined = pipe ? (*pipe)->join(socket) : pipe.error();
  const auto addresses = pipe ? (*pipe)->addresses() : std::vector<std::string>();
  // std::function needs a copyable action: the pipe rides in a shared pointer.
  const auto ride = std::make_shared<std::unique_ptr<Pipe>>(joined.ok() ? std::move(*pipe) : nullptr);
  const auto reachable = std::make_shared<Call<bool>>();
  post([this, id, ride, reachable] {
    const auto target = link(id);
    if (!target) return on_ended_(id, false);  // it failed after the caller had ceased to wait: its events said so
    if (!*ride) {                              // what it has claimed meanwhile goes back
      target->begin_close(0);
      return target->give_back(true);
    }
    for (const int fd : (*ride)->fds()) watch(fd, kLink | id);
    target->attach(std::move(*ride));
    target->when_reachable([reachable] { reachable->answer(true); });
  });
  if (!joined.ok()) return tl::unexpected<Status>(joined);
  if (pattern.envelope == Envelope::identity) {
    if (status) (void)reachable->wait(kAnswerWithin);  // a store that did not answer will not tell who its peers are
    process_commands(socket);                          // or the first messages to them would be to nobody
  }
  return addresses;
}

void StoreInstance::close(LinkId id, void* socket, int linger_ms, bool socket_stays) {
  struct State {
    std::vector<std::string> addresses;
    bool consumes = false;
    bool outlives = false;  ///< the disconnecting
    bool names_peers = false;
    bool has_lent = false;
  };
  const auto state = std::make_shared<Call<State>>();
  post([this, id, linger_ms, socket_stays, state] {
    const auto target = link(id);
    if (!target) return state->answer({});
    const Pattern& pattern = *target->request().pattern;
    const bool outlives = target->outlives_disconnect();
    target->begin_close(linger_ms);
    // Only by closing the socket is what is unread in pipes that we made told from what is in hand.
    if (outlives && !socket_stays) target->await_close();
    state->answer({target->addresses(), pattern.in != In::none, outlives, pattern.envelope == Envelope::identity,
                   target->has_lent()});
  });
  const auto [addresses, consumes, outlives, names_peers, has_lent] = state->wait(kDriverWithin).value_or(State());
  if (addresses.empty() || (!socket_stays && (!consumes || outlives))) return;
  for (const std::string& address : addresses) (void)zmq_disconnect(socket, address.c_str());
  if (!consumes) {
    post([this, id] {
      if (const auto target = link(id)) target->on_disconnected();
    });
    return;
  }
  in_driver([this, id] {
    if (const auto target = link(id)) target->on_disconnected();
  });
  // The socket learns that the pipe is gone, and lets go, in this thread, of what was unread.
  process_commands(socket);
  const auto given_back = std::make_shared<Call<bool>>();
  post([this, id, given_back, told = !outlives, until_done = outlives] {
    const auto target = link(id);
    if (!target) return given_back->answer(true);
    target->give_back(told);
    leaving_.push_back({target, given_back, until_done});
  });
  const bool ended = given_back->wait(kAnswerWithin).has_value();
  if (!outlives) return;
  end_pipes(socket);
  if (names_peers && (has_lent || !ended)) let_identities_be_taken_over(socket);
}

/// The pipes that we made have been closed. libzmq frees an identity only when both ends have acknowledged that: the first probe follows
/// the closing, the second the answer of the application's socket to it.
void StoreInstance::end_pipes(void* socket) {
  for (int i = 0; i < 2; ++i) {
    const auto told = std::make_shared<Call<bool>>();
    if (probe_reaper(context_, [told] { told->answer(true); })) (void)told->wait(kAnswerWithin);
    process_commands(socket);
  }
}

Status StoreInstance::flush(LinkId id, Ms timeout) {
  const auto call = std::make_shared<Call<Status>>();
  post([this, id, call] {
    const auto target = link(id);
    if (target) return target->flush(call);
    call->answer({});  // ended, and so durable or reported
  });
  if (const auto status = call->wait(timeout)) return *status;
  post([this, id, call] {
    if (const auto target = link(id)) target->cancel_flush(call);
    call->answer(Status(Code::busy, "not all that was sent is durable yet"));
  });
  return call->wait(kDriverWithin)
      .value_or(Status(Code::busy, "the driver thread does not answer: its disk may be stuck"));
}

bool StoreInstance::decide(LinkId id, const std::string& delivery_id, Outcome outcome, std::uint32_t delay_ms) {
  bool decided = false;
  in_driver([&] {
    const auto target = link(id);
    decided = target && target->decide(delivery_id, outcome, delay_ms);
  });
  return decided;
}

bool StoreInstance::add_stats(LinkId id, vtx_stats_t& stats) {
  std::optional<LinkEndpoint> endpoint;
  const Pattern* pattern = nullptr;
  bool bind = false;
  Seq position = 0;
  in_driver([&] {
    const auto target = link(id);
    if (!target) return;
    target->add_stats(stats);
    endpoint = target->request().endpoint;
    pattern = target->request().pattern;
    bind = target->request().bind;
    position = target->position();
  });
  if (!endpoint) return false;
  const Backlog backlog = backlog_of(*endpoint, *pattern, bind, position);
  const auto unknown = [](std::uint64_t value) { return value == UINT64_MAX; };
  stats.depth = unknown(backlog.depth) || unknown(stats.depth) ? UINT64_MAX : stats.depth + backlog.depth;
  stats.lag_ms = std::max(stats.lag_ms, backlog.lag_ms);
  return true;
}

StoreInstance::Backlog StoreInstance::backlog_of(const LinkEndpoint& endpoint, const Pattern& pattern, bool bind,
                                                 Seq position) {
  if (position > 0) return backlog_of_reader(endpoint, position);
  const auto answer = ask(endpoint.address, false, Inspect{endpoint.options.queue}, kAnswerWithin);
  if (!answer || answer->queues.empty()) return {};
  const QueueStats& queue = answer->queues.front();
  const LinkOptions& options = endpoint.options;
  // Who asks would know how many questions wait.
  const Lanes lanes = lanes_of(pattern, bind);
  const std::string name = to_text(GroupName{pattern.envelope == Envelope::request ? lanes.writes : lanes.reads, "",
                                             options.subscription.empty() ? options.group : options.subscription});
  const auto backlog = [&](const GroupStats& group) {
    return Backlog{group.depth, group.oldest == StoreTime{} ? 0 : age_of(group.oldest)};
  };
  Backlog slowest{0, 0};
  // Nobody has told since when the messages wait that no group is for yet.
  if (queue.groups.empty() && queue.messages > 0) slowest = {queue.messages, UINT64_MAX};
  for (const GroupStats& group : queue.groups) {
    const Backlog one = backlog(group);
    if (pattern.in != In::none && group.name == name) return one;
    slowest = {std::max(slowest.depth, one.depth), std::max(slowest.lag_ms, one.lag_ms)};
  }
  return slowest;
}

StoreInstance::Backlog StoreInstance::backlog_of_reader(const LinkEndpoint& endpoint, Seq position) {
  const auto question = [&](Operation operation) {
    return ask(endpoint.address, false, std::move(operation), kAnswerWithin);
  };
  const auto log = log_extent(question, endpoint.options);
  if (!log) return {};
  if (position > log->head) return {0, 0};
  const auto next = question(Read{log->stream, position, {1, kMaxBatchBytes}});
  if (!next) return {};
  return {log->head + 1 - position, next->messages.empty() ? 0 : age_of(next->messages.front().stored)};
}

void StoreInstance::shut_down() {
  post([this] {
    if (std::exchange(ending_, true)) return;
    for (auto& [id, target] : links_) target->detach();
    for (const auto& question : questions_) question->finish(fail(Code::lost, "the instance was destroyed"));
  });
}

Result<Completion> StoreInstance::ask(const Endpoint& endpoint, bool create, Operation operation, Ms timeout) {
  const auto reply = std::make_shared<Question::Reply>();
  const auto asked = std::make_shared<std::shared_ptr<Question>>();
  post([this, endpoint, create, operation = std::move(operation), reply, asked]() mutable {
    auto engine = engine_for(endpoint, create, 100, 1000);
    if (!engine) return reply->answer(tl::unexpected<Status>(engine.error()));
    *asked = std::make_shared<Question>(**engine, std::move(operation));
    (*asked)->reply = reply;
    questions_.push_back(*asked);
    (*engine)->add(asked->get());
  });
  if (auto result = reply->wait(timeout)) return std::move(*result);
  post([asked, reply] {
    if (*asked) (*asked)->finish(tl::unexpected<Status>((*asked)->trouble));
  });
  if (auto result = reply->wait(kDriverWithin)) return std::move(*result);
  return fail(Code::busy, "the driver thread does not answer: its disk may be stuck");
}

}  // namespace vtx
