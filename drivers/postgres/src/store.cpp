/* SPDX-License-Identifier: MPL-2.0 */
//
// The session loop: operations go out at once, each as one call on one of the two connections, and their answers come back in order of each.
#include "store.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "errors.hpp"

namespace vtx::postgres {
namespace {

using driver::Completion;
using driver::Ms;

constexpr Ms kUnsureFor{
    60'000};  // a server writes to disk what it need not yet within 30 s at the latest; a standby may be behind
constexpr Ms kMaintainEach{1000};
constexpr Ms kLongGoodbye{1000};  // for a server that is slow to hear that our holders have ended

/// What must go on while others wait for locks and disks. It wakes nobody, for whom this store's own waits would look as if nobody waited.
bool is_aside(const driver::Operation& operation) {
  return std::holds_alternative<driver::Beat>(operation) || std::holds_alternative<driver::Read>(operation) ||
         std::holds_alternative<driver::ListPeers>(operation) || std::holds_alternative<driver::Locate>(operation) ||
         std::holds_alternative<driver::Inspect>(operation) || std::holds_alternative<driver::Check>(operation);
}

std::int32_t small(driver::Id id) { return static_cast<std::int32_t>(std::min<driver::Id>(id, INT32_MAX)); }

/// What it waits for, having found nothing.
std::optional<Key> wait_of(const driver::Operation& operation, const Completion& out) {
  if (const auto* next = std::get_if<driver::ClaimNext>(&operation); next && !out.claim && !out.retry_waiting)
    return Key{'g', small(next->group)};
  if (const auto* read = std::get_if<driver::Read>(&operation); read && read->wait && out.messages.empty())
    return Key{'s', small(read->stream)};
  if (const auto* list = std::get_if<driver::ListPeers>(&operation); list && list->wait && out.peers.empty())
    return Key{'j', small(list->queue)};
  return std::nullopt;
}

/// A time limit, a lock, too little memory: the session is as good as it was.
bool concerns_one(const Result& result) {
  const std::string_view state = result.sqlstate();
  return state == "57014" || state.starts_with("55") || state.starts_with("40") || state.starts_with("53");
}

/// By the store's clock; the last column of what claim_next() and read_stream() answer.
std::int64_t due_at(char kind, const Result& result) {
  const int column = result.columns() - 1;
  return kind == 'j' || result.is_null(0, column) ? INT64_MAX : result.integer(0, column);
}

}  // namespace

bool PostgresStore::may_fail(Errand errand) {
  return errand == Errand::maintain || errand == Errand::end_holders || errand == Errand::settle_again ||
         errand == Errand::fetch_sent;
}

/// It wrote, and so COMMIT has flushed; what writes nothing flushes nothing.
bool PostgresStore::is_on_disk(const Sent& sent) {
  const auto* commit = std::get_if<driver::Commit>(&sent.operation);
  return sent.durable && commit != nullptr && commit->counter > 0;
}

PostgresStore::PostgresStore(const driver::Clock& clock)
    : clock_(clock), epoll_(epoll_create1(EPOLL_CLOEXEC)), work_(clock), side_(clock) {}

PostgresStore::~PostgresStore() {
  stop();
  if (epoll_ >= 0) ::close(epoll_);
}

void PostgresStore::submit(driver::u64 ticket, driver::Operation operation) {
  if (state_ == State::live) return run(ticket, std::move(operation));
  if (state_ == State::opening) {
    early_.emplace_back(ticket, std::move(operation));
    return;
  }
  Completion refused;
  refused.ticket = ticket;
  refused.status = {Code::lost, "the store is not open"};
  done_.push_back(std::move(refused));
}

PostgresStore::Lane& PostgresStore::lane_of(const driver::Operation& operation) {
  return is_aside(operation) ? side_ : work_;
}

void PostgresStore::run(driver::u64 ticket, driver::Operation operation) {
  Completion answer;
  answer.ticket = ticket;
  answer.status = check(operation);
  if (const auto* stop = std::get_if<driver::StopWaiting>(&operation)) {
    waits_.remove({'g', small(stop->group)});
    done_.push_back(std::move(answer));
    return;
  }
  if (!answer.status.ok()) {
    done_.push_back(std::move(answer));
    return;
  }
  std::int32_t turn = 0;
  if (const auto* tend = std::get_if<driver::Tend>(&operation))
    if (const auto found = turns_.find(tend->queue); found != turns_.end()) turn = found->second;
  Request request = make_request(info_.schema, life_, operation, turn);
  Lane& lane = lane_of(operation);
  const bool durable = request.durable;
  send(lane, {Errand::operation, ticket, std::move(operation), durable}, std::move(request));
}

/// PgBouncer (1.18) gives a server's connection to another client at the first of several answers, and so the later ones: behind it one waits for each.
void PostgresStore::send(Lane& lane, Sent sent, Request request) {
  const auto id = ++last_id_;
  sent.covers = unsure_count_;
  sent_.emplace(id, std::move(sent));
  unflushed_ = true;
  if (info_.pooler)
    lane.held.emplace_back(id, std::move(request));
  else
    lane.connection.send(id, request.statement, std::move(request.parameters));
  send_held(lane);
}

void PostgresStore::send_held(Lane& lane) {
  if (lane.held.empty() || lane.connection.awaited_count() > 0) return;
  auto [id, request] = std::move(lane.held.front());
  lane.held.pop_front();
  lane.connection.send(id, request.statement, std::move(request.parameters));
  unflushed_ = true;
}

/// Its socket may have become another one, while it connects of the same number even. Who was watched need not be taken out of the set: libpq has closed
/// it, which does that, and its number may be another thread's by now.
void PostgresStore::watch(Lane& lane) {
  const int fd = lane.connection.fd();
  const auto events = (lane.connection.wants_read() ? EPOLLIN : 0U) | (lane.connection.wants_write() ? EPOLLOUT : 0U);
  const bool anew = lane.connection.state() == Connection::State::connecting || fd != lane.watched;
  if (!anew && events == lane.events) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (fd >= 0 && epoll_ctl(epoll_, anew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0)
    (void)epoll_ctl(epoll_, anew ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  lane.watched = fd;
  lane.events = events;
}

/// What an answer lets go out goes out before this returns, and an answer that came with that is not left lying where no descriptor tells of it.
void PostgresStore::poll(std::vector<Completion>& out) {
  do {
    unflushed_ = false;
    for (Lane* lane : {&work_, &side_}) poll(*lane);
    if (state_ == State::opening) go_on_opening();
    if (state_ == State::live) arm_waits();
    if (state_ == State::live) look_if_due();
  } while (unflushed_ && state_ != State::closed);
  std::move(done_.begin(), done_.end(), std::back_inserter(out));
  done_.clear();
}

void PostgresStore::poll(Lane& lane) {
  if (state_ == State::closed) return;
  lane.connection.poll();
  take_replies(lane);
  if (state_ == State::closed) return;
  if (lane.connection.failed()) return end_session(lane.connection.why());
  watch(lane);
}

void PostgresStore::take_replies(Lane& lane) {
  for (auto& reply : lane.connection.take_replies()) {
    on_reply(std::move(reply));
    if (state_ == State::closed) return;
  }
  send_held(lane);
  for (const auto& notification : lane.connection.take_notifications()) on_notification(notification);
}

Ms PostgresStore::next_poll() const {
  if (!done_.empty() || unflushed_) return Ms(0);
  if (state_ == State::closed) return Ms::max();
  std::optional<driver::Steady> until;
  const auto sooner = [&](std::optional<driver::Steady> at) {
    if (at && (!until || *at < *until)) until = at;
  };
  sooner(work_.connection.deadline());
  sooner(side_.connection.deadline());
  if (state_ == State::live && !looking_) sooner(look_at_);
  if (state_ == State::live && !waits_.empty() && !info_.pooler && !arming_ && !waits_.unarmed().empty())
    sooner(arm_at_);
  if (!until) return Ms::max();
  return std::max(Ms(0), std::chrono::ceil<Ms>(*until - clock_.now()));
}

void PostgresStore::on_reply(Reply reply) {
  const auto found = sent_.find(reply.ticket);
  if (found == sent_.end()) return;
  Sent sent = std::move(found->second);
  sent_.erase(found);
  if (sent.errand == Errand::operation) return on_answer(std::move(sent), reply);
  const Result& result = reply.result;
  if (!result.ok()) {
    const Status why = translate(result, info_.place);
    if (!may_fail(sent.errand) || (why.code() == Code::lost && !concerns_one(result))) end_session(why);
    return;
  }
  switch (sent.errand) {
    case Errand::look: return on_look(result);
    case Errand::migrate: return send_look();
    case Errand::begin: return on_begin(result);
    case Errand::arm: return on_armed(result);
    case Errand::look_for: return on_looked(result);
    case Errand::listen: look_at_ = clock_.now(); return;  // what was told before, nobody heard
    case Errand::operation:
    case Errand::disarm:
    case Errand::fetch_sent:
    case Errand::maintain:
    case Errand::end_holders: return;
    case Errand::settle_again: settle_again_ = false; return;
  }
}

void PostgresStore::on_answer(Sent sent, const Reply& reply) {
  Completion out;
  out.ticket = sent.ticket;
  const Result& result = reply.result;
  if (!result.ok()) {
    out.status = translate(result, info_.place);
    if (out.status.code() == Code::lost) {
      const Status why = out.status;
      done_.push_back(std::move(out));
      return end_session(why);
    }
    const driver::Id full = read_refusal(sent.operation, result, out);
    // Behind a pooler who needs more room than there is would find some at each look: the engine asks again by itself.
    const bool some = out.room.messages > 0 && out.room.bytes > 0;
    if (full != 0 && !(info_.pooler && some)) wait_for({'r', small(full)}, {});
    done_.push_back(std::move(out));
    return;
  }
  if (reply.standby_wait_cancelled && sent.durable) {
    out.status = {Code::in_doubt,
                  info_.place + ": the wait for the standby was cancelled, so the commit may be on this server only"};
    const Status why = out.status;
    done_.push_back(std::move(out));
    return end_session({Code::lost, why.text()});
  }
  life_.mark = std::max(life_.mark, result.integer(0, 0));
  if (is_on_disk(sent)) life_.synced = std::max(life_.synced, result.integer(0, 0));
  remember(info_.place + "/" + info_.schema, life_);
  note_settled(sent);
  read_answer(sent.operation, result, out);
  after(sent, result, out);
  if (sent.errand == Errand::operation && std::holds_alternative<driver::Tend>(sent.operation))
    turns_[std::get<driver::Tend>(sent.operation).queue] = static_cast<std::int32_t>(result.integer(0, 5));
  done_.push_back(std::move(out));
}

/// Settlements need not be on disk to be answered: the consumer has forgotten a claim then that is there again after a crash, with nobody to settle it.
void PostgresStore::note_settled(const Sent& sent) {
  const auto present = clock_.now();
  while (!unsure_.empty() &&
         (unsure_.front().until < present || (is_on_disk(sent) && unsure_.front().number <= sent.covers)))
    unsure_.pop_front();
  const auto* commit = std::get_if<driver::Commit>(&sent.operation);
  if (commit && !sent.durable && commit->appends.empty() && !commit->settles.empty())
    unsure_.push_back({++unsure_count_, present + kUnsureFor, commit->settles});
}

/// All at once, before anything else of the session. What had not been undone is not done twice.
void PostgresStore::settle_again() {
  if (went_back_) unsure_.clear();
  settle_again_ = settle_again_ && !unsure_.empty();
  if (!settle_again_) return;
  driver::Commit commit;
  commit.sync = false;
  for (const auto& one : unsure_) commit.settles.insert(commit.settles.end(), one.settles.begin(), one.settles.end());
  send(work_, {Errand::settle_again, 0, {}, false}, make_request(info_.schema, life_, commit, 0));
}

/// What an answer means for later.
void PostgresStore::after(const Sent& sent, const Result& result, const Completion& out) {
  if (std::holds_alternative<driver::Beat>(sent.operation)) holders_.insert(out.id);  // also one of an earlier session
  if (const auto key = wait_of(sent.operation, out)) wait_for(*key, {out.head, due_at(key->kind, result)});
  if (!std::holds_alternative<driver::Tend>(sent.operation) || out.more || clock_.now() < maintain_at_) return;
  maintain_at_ = clock_.now() + kMaintainEach;
  send(work_, {Errand::maintain, 0, {}, false}, call(info_.schema, life_, "maintain", 0));
}

void PostgresStore::lose(const Sent& sent) {
  if (sent.errand != Errand::operation) return;
  Completion lost;
  lost.ticket = sent.ticket;
  const bool doubtful = std::holds_alternative<driver::Commit>(sent.operation);
  lost.status =
      doubtful ? Status(Code::in_doubt, info_.place + ": the commit's outcome is unknown until it is submitted again")
               : Status(Code::lost, info_.place + ": the session ended");
  done_.push_back(std::move(lost));
}

void PostgresStore::end_session(Status why) {
  close();
  Completion lost;
  lost.event = driver::Event::lost;
  lost.status = std::move(why);
  done_.push_back(std::move(lost));
}

/// Answers that come meanwhile are good. Else time shows that our holders have ended.
void PostgresStore::stop() {
  if (state_ == State::closed) return;
  if (state_ == State::live && !holders_.empty()) {
    Request request = call(info_.schema, life_, "end_holders", 1);
    request.parameters.begin_array(kInt8);
    for (const auto holder : holders_) request.parameters.element(holder);
    request.parameters.end_array();
    send(work_, {Errand::end_holders, 0, {}, false}, std::move(request));
    const auto last = last_id_;
    const auto until = clock_.now() + kLongGoodbye;
    while (state_ == State::live && sent_.contains(last) && clock_.now() < until && !work_.connection.failed()) {
      work_.connection.poll();
      take_replies(work_);
      if (state_ != State::live || !sent_.contains(last) || work_.connection.failed()) break;
      pollfd one{work_.connection.fd(), static_cast<short>(POLLIN | (work_.connection.wants_write() ? POLLOUT : 0)), 0};
      (void)::poll(&one, 1, 20);
    }
  }
  close();
}

void PostgresStore::close() {
  for (Lane* lane : {&work_, &side_}) {
    lane->held.clear();
    lane->connection.close();
    lane->watched = -1;
  }
  for (const auto& [id, sent] : std::exchange(sent_, {})) lose(sent);
  for (auto& [ticket, operation] : std::exchange(early_, {}))
    lose({Errand::operation, ticket, std::move(operation), false});
  holders_.clear();
  waits_.clear();
  turns_.clear();
  listening_ = arming_ = looking_ = unflushed_ = false;
  state_ = State::closed;
}

}  // namespace vtx::postgres
