/* SPDX-License-Identifier: MPL-2.0 */
//
// libpq without waiting. What its manual says of pipeline mode and of asynchronous connecting is what this follows; where its source had to
// be read, the comment says so.
#include "connection.hpp"

#include <poll.h>

#include <chrono>
#include <new>
#include <string_view>
#include <utility>

#include "errors.hpp"

namespace vtx::postgres {
namespace {

/// See encrypted().
constexpr std::chrono::milliseconds kLookAgain{100};

bool ends_session(const Result& result) {
  // Without a SQLSTATE it is libpq that complains: the connection broke, or the answer did not fit into memory.
  return result.sqlstate().empty() || result.severity() == "FATAL" || result.severity() == "PANIC";
}

bool is_ready(int socket, PostgresPollingStatusType wanted) {
  pollfd one{socket, static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
  return ::poll(&one, 1, 0) > 0;
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(text.c_str());
  out.push_back(nullptr);
  return out;
}

/// For people who look into what the server has: the function that it calls.
std::string name_of(const std::string& statement) {
  const auto end = std::min(statement.find('('), statement.size());
  const auto dot = statement.rfind('.', end);
  return statement.substr(dot == std::string::npos ? end : dot + 1, dot == std::string::npos ? 0 : end - dot - 1);
}

}  // namespace

Status Connection::start(const Conninfo& info) {
  close();
  awaited_.clear();
  replies_.clear();
  notifications_.clear();
  place_ = info.place;
  names_statements_ = !info.pooler;
  // libpq heeds connect_timeout only where it waits itself.
  const std::string& timeout = info.value("connect_timeout");
  const std::chrono::seconds limit(timeout.empty() ? 0 : std::stoi(timeout));
  connect_until_.reset();
  if (limit.count() > 0) connect_until_ = clock_.now() + limit;
  connection_.reset(PQconnectStartParams(pointers(info.keywords).data(), pointers(info.values).data(), 0));
  state_ = State::connecting;
  polling_ = PGRES_POLLING_WRITING;
  if (!connection_) {
    fail({Code::lost, place_ + ": out of memory"});
  } else {
    PQsetNoticeReceiver(connection_.get(), on_notice, this);
    if (PQstatus(connection_.get()) == CONNECTION_BAD) fail_by_words();
  }
  return why_;
}

void Connection::close() {
  connection_.reset();
  for (auto& one : awaited_) one.asks = nullptr;
  prepared_.clear();
  state_ = State::idle;
  why_ = {};
  unsent_ = false;
  current_ = {};
  standby_wait_cancelled_ = false;
  last_words_.reset();
}

void Connection::poll() {
  if (state_ == State::connecting) go_on_connecting();
  if (state_ == State::live) receive();
  if (state_ == State::live) flush();
  // A flush that finds the socket full reads what has come.
  if (state_ == State::live && unsent_) receive();
}

void Connection::go_on_connecting() {
  // Asked too early, libpq takes a socket that is not connected yet for one that is, and waits in its first send.
  if (is_ready(fd(), polling_)) {
    polling_ = PQconnectPoll(connection_.get());
    if (polling_ == PGRES_POLLING_FAILED) return fail_by_words();
    if (polling_ == PGRES_POLLING_OK) return become_live();
  }
  // The time is for all hosts together: libpq offers no way to go on to the next one.
  if (connect_until_ && clock_.now() >= *connect_until_)
    fail({Code::lost, place_ + ": no answer within connect_timeout; VTX tries again"});
}

void Connection::become_live() {
  if (PQsetnonblocking(connection_.get(), 1) != 0 || PQenterPipelineMode(connection_.get()) != 1)
    return fail_by_words();
  connect_until_.reset();
  unsent_ = false;
  state_ = State::live;
}

void Connection::on_notice(void* self, const PGresult* notice) {
  auto& connection = *static_cast<Connection*>(self);
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(notice, code);
    return std::string_view(text ? text : "");
  };
  const std::string_view sqlstate = field(PG_DIAG_SQLSTATE), severity = field(PG_DIAG_SEVERITY_NONLOCALIZED);
  // Until the end of a statement's transaction was taken libpq reads nothing of the next one: this is of the one at the front.
  if (is_standby_wait_cancelled(sqlstate, severity, field(PG_DIAG_SOURCE_FUNCTION)))
    connection.standby_wait_cancelled_ = true;
  if (severity != "FATAL" && severity != "PANIC") return;
  // An error while no statement runs comes as a notice: pqParseInput3() in fe-protocol3.c.
  try {
    connection.last_words_ = translate(
        {sqlstate, field(PG_DIAG_MESSAGE_PRIMARY), field(PG_DIAG_MESSAGE_DETAIL), field(PG_DIAG_MESSAGE_HINT)},
        connection.place_);
  } catch (const std::bad_alloc&) {  // not through libpq; the connection breaks presently, and says less about why
  }
}

void Connection::receive() {
  // One call reads what the socket has, but of a record of TLS only as much as there is room for: see encrypted().
  for (int round = encrypted() ? 2 : 1; round > 0 && state_ == State::live; --round) {
    const bool read = PQconsumeInput(connection_.get()) == 1;
    // libpq adds to its words when it is asked for more.
    if (!read) last_words_ = Status(Code::lost, place_ + ": " + one_line(PQerrorMessage(connection_.get())));
    take_results();  // what came before a failure counts
    take_notifies();
    if (state_ == State::live && (!read || last_words_ || PQstatus(connection_.get()) == CONNECTION_BAD))
      fail_by_words();
  }
}

void Connection::take_results() {
  // A null result ends each statement; a second one says that there is nothing more to take.
  int nulls = 0;
  while (state_ == State::live && !awaited_.empty() && nulls < 2 && PQisBusy(connection_.get()) == 0) {
    Result result(PQgetResult(connection_.get()));
    nulls = result.none() ? nulls + 1 : 0;
    if (!result.none()) take_result(std::move(result));
  }
}

void Connection::take_result(Result result) {
  Prepared*& asks = awaited_.front().asks;
  if (result.status() == PGRES_PIPELINE_SYNC) {
    replies_.push_back({awaited_.front().ticket, std::move(current_), std::exchange(standby_wait_cancelled_, false)});
    if (asks) asks->state = Prepared::State::used_once;  // refused
    awaited_.pop_front();
    current_ = {};
  } else if (asks && result.status() == PGRES_COMMAND_OK) {
    asks->state = Prepared::State::confirmed;
    asks = nullptr;
  } else if (result.status() == PGRES_PIPELINE_ABORTED) {
    // It was to be called by a name that was refused: the reason came before.
  } else if (is_stale_plan(result.sqlstate(), result.source_function())) {
    fail({Code::lost, place_ + ": VTX's schema was changed meanwhile: it is opened again"});
  } else if (result.status() == PGRES_FATAL_ERROR && ends_session(result)) {
    if (result.sqlstate().empty()) return fail_by_words();
    fail(translate(result, place_));
  } else {
    current_ = std::move(result);  // rows, and in their place what failed at their commit
  }
}

void Connection::take_notifies() {
  while (PGnotify* raw = PQnotifies(connection_.get())) {
    const std::unique_ptr<PGnotify, decltype(&PQfreemem)> notify(raw, PQfreemem);
    notifications_.push_back({notify->relname, notify->extra, notify->be_pid});
  }
}

void Connection::flush() {
  const int result = PQflush(connection_.get());
  unsent_ = result == 1;
  if (result < 0) fail_by_words();
}

void Connection::send(std::uint64_t ticket, const std::string& statement, Parameters&& parameters) {
  awaited_.push_back({ticket});
  if (state_ == State::failed) return;
  if (state_ != State::live) return fail({Code::internal, place_ + ": a statement came before the session was open"});
  if (parameters.too_large())
    return fail({Code::invalid, place_ + ": PostgreSQL takes at most 1 GB at once; send smaller messages"});
  Parameters sent = std::move(parameters);  // libpq copies it
  Prepared* known = prepared(statement, sent);
  bool good = true;
  if (known && known->state != Prepared::State::confirmed) {
    good = PQsendPrepare(connection_.get(), known->name.c_str(), statement.c_str(), sent.count(), sent.types()) == 1;
    known->state = Prepared::State::asked;
    awaited_.back().asks = known;
  }
  good = good && (known ? PQsendQueryPrepared(connection_.get(), known->name.c_str(), sent.count(), sent.values(),
                                              sent.lengths(), sent.formats(), 1)
                        : PQsendQueryParams(connection_.get(), statement.c_str(), sent.count(), sent.types(),
                                            sent.values(), sent.lengths(), sent.formats(), 1)) == 1;
  if (good && PQpipelineSync(connection_.get()) == 1) return flush();
  receive();  // there may be answers yet, and the server's reasons
  if (state_ == State::live) fail_by_words();
}

/// What it is to be called by; null: not by a name, or not yet.
Connection::Prepared* Connection::prepared(const std::string& statement, const Parameters& parameters) {
  if (!names_statements_ || parameters.count() == 0) return nullptr;
  const auto [at, is_new] = prepared_.try_emplace(statement);
  if (is_new) at->second.name = name_of(statement) + " " + std::to_string(prepared_.size());
  return is_new || at->second.state == Prepared::State::asked ? nullptr : &at->second;
}

bool Connection::wants_read() const {
  return state_ == State::live || (state_ == State::connecting && polling_ == PGRES_POLLING_READING);
}

bool Connection::wants_write() const {
  return state_ == State::live ? unsent_ : state_ == State::connecting && polling_ == PGRES_POLLING_WRITING;
}

std::optional<driver::Steady> Connection::deadline() const {
  if (state_ == State::connecting) return connect_until_;
  if (state_ == State::live && !awaited_.empty() && encrypted()) return clock_.now() + kLookAgain;
  return std::nullopt;
}

bool Connection::encrypted() const {
  // Part of a decrypted record may be left in the TLS library, where neither the socket nor libpq's interface shows it: a record has up to
  // 16 KiB, and libpq reads at least 8 KiB at once. Hence two reads, and another look after a while as long as anything is awaited.
  return PQsslInUse(connection_.get()) != 0 || PQgssEncInUse(connection_.get()) != 0;
}

std::vector<Reply> Connection::take_replies() { return std::exchange(replies_, {}); }

std::vector<Notification> Connection::take_notifications() { return std::exchange(notifications_, {}); }

void Connection::fail(Status why) {
  state_ = State::failed;
  why_ = std::move(why);
}

void Connection::fail_by_words() {
  if (last_words_)
    fail(std::move(*last_words_));
  else if (state_ == State::connecting)
    fail(of_connection(connection_.get(), place_));
  else  // it was good a moment ago, so it may be again
    fail({Code::lost, place_ + ": " + one_line(PQerrorMessage(connection_.get()))});
  last_words_.reset();
}

}  // namespace vtx::postgres
