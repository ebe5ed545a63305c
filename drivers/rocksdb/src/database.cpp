/* SPDX-License-Identifier: MPL-2.0 */
//
// What was submitted between two polls becomes one batch, written at once; memory is never ahead of the disk for longer than that. When a write
// fails nobody knows what the disk has of it: the books in memory are thrown away, all sessions end, and the next start reads the disk.
#include "database.hpp"

#include <algorithm>
#include <functional>
#include <new>
#include <system_error>

#include "random.hpp"
#include "store.hpp"

namespace vtx::rocks {

using namespace std::chrono_literals;

namespace {

/// How long it may take until an exchanged directory is noticed by who only waits.
constexpr auto kLook = 1s;
/// Less than this is synced at once: nothing is gained by gathering meanwhile, and two thread wake-ups are saved.
constexpr std::size_t kWorthAThread = std::size_t{64} << 10;
/// What is gathered for one write is in memory twice for a moment.
constexpr std::size_t kLargestWrite = std::size_t{16} << 20;

bool is_commit(const driver::Operation& operation) { return std::holds_alternative<driver::Commit>(operation); }

Status doubtful(const Status& why, bool of_commit) {
  if (why.code() == Code::no_space) return why;
  if (!of_commit) return {Code::lost, why.text(), why.native()};
  return {Code::in_doubt, why.text() + "; the commit's outcome is unknown until it is submitted again", why.native()};
}

void tell(Session& session, u64 ticket, Status status) {
  Completion& answer = session.done.emplace_back();
  answer.ticket = ticket;
  answer.status = std::move(status);
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path, bool create, const Tuning& tuning,
                                                 const driver::Clock& clock) {
  auto place = Place::open(path, create);
  if (!place) return tl::unexpected(place.error());
  if (Status status = place->take(); !status.ok()) return tl::unexpected(status);
  std::unique_ptr<Database> database(new Database(std::move(*place), clock));
  if (Status status = database->start(create, tuning); !status.ok()) return tl::unexpected(status);
  return database;
}

/// Who has ended meanwhile is to be known to the next owner. What was to be synced was asked for.
Database::~Database() {
  if (!dead_.ok() || !ledger_) return;
  try {
    flush(false);
    remember_mark();
  } catch (const std::exception&) {  // nobody is left who could be told; the disk has what was answered
  }
}

std::unique_ptr<driver::Store> Database::session(const std::string& process) {
  return std::make_unique<SessionStore>(*this, process);
}

void Database::end_holders(std::span<const Id> holders) {
  if (dead_.ok()) ledger_->end_holders(holders);
}

Status Database::start(bool create, const Tuning& tuning) {
  try {
    const auto there = Disk::probe(place_.fd(), place_.path());
    if (!there) {
      // What another process is about to make may look like anything.
      const Status free = place_.check_free();
      return free.ok() ? there.error() : free;
    }
    if (!*there && !create) return {Code::not_found, "There is no database in " + place_.path() + "."};
    if (Status status = marks_.open(place_.path() + "-vtx"); !status.ok()) return status;
    auto disk = Disk::open(place_.fd(), place_.path(), tuning);
    if (!disk) return disk.error();
    disk_ = std::move(*disk);
    books_ = std::make_unique<Books>(*disk_);
    log_ = std::make_unique<MessageLog>(*disk_);
    waiting_ = std::make_unique<Waiting>(*books_);
    if (!*there) found();
    books_->load();
    ledger_ = std::make_unique<Ledger>(*books_, *log_, *disk_, *waiting_, clock_, [this] { flush(false); });
    went_back_ = begin_epoch_if_it_went_back();
    syncer_ = std::make_unique<Syncer>(*disk_);
    return {};
  } catch (const DiskError& error) {
    return error.status;
  } catch (const std::bad_alloc&) {
    return {Code::lost, place_.path() + ": no memory to open it"};
  } catch (const std::system_error& error) {
    return {Code::lost, place_.path() + ": no thread for its syncs; raise the limit of processes (ulimit -u)",
            error.code().value()};
  } catch (const std::exception& error) {
    return {Code::internal, place_.path() + ": " + error.what()};
  }
}

/// The first rows of a new database.
void Database::found() {
  StoreRow store;
  store.id = random_hex(16);
  store.life = random_hex(8);
  disk_->put(Family::books, kFormatKey, std::to_string(kFormat));
  disk_->put(Family::books, "store", encode(store));
  disk_->write(true);
}

bool Database::begin_epoch_if_it_went_back() {
  const StoreRow& store = books_->store();
  const Life other = marks_.remembered();
  const bool went_back = other.id == store.id && store.mark < other.mark;
  if (went_back) {
    ledger_->begin(0);
    ledger_->begin_epoch(std::max(store.epoch, other.epoch) + 1, other.mark + 1);
    flush(true);
  }
  remember_mark();
  return went_back;
}

Result<std::string> Database::attach(Session& session) {
  if (!dead_.ok()) return tl::unexpected(dead_);
  waiting_->attach(session);
  if (!first_) {
    first_ = &session;
    syncer_->set_bell(session.wake);
  }
  session.went_back = std::exchange(went_back_, false);
  const StoreRow& store = books_->store();
  return store.id + "/" + std::to_string(store.epoch) + "." + store.life;
}

void Database::detach(Session& session) {
  if (!dead_.ok()) return;
  waiting_->detach(session);
  if (first_ != &session) return;
  first_ = waiting_->sessions().empty() ? nullptr : *waiting_->sessions().begin();
  syncer_->set_bell(first_ ? first_->wake : std::function<void()>());
}

/// Once for all that was written before an answer: a mark that is behind what the disk has is none that the disk has lost.
void Database::remember_mark() {
  const StoreRow& store = books_->store();
  if (remembered_ == store.mark) return;
  marks_.remember({store.id, store.epoch, store.mark});
  remembered_ = store.mark;
}

/// Writes all that changed since the last time.
void Database::flush(bool sync) {
  if (books_->is_touched() || disk_->is_dirty()) {
    ++books_->store().mark;
    (void)books_->write();
    unsynced_bytes_ += disk_->waiting_bytes();
    disk_->write(sync);
    log_->was_written();
  }
}

Completion Database::run(const driver::Operation& operation) {
  try {
    ledger_->begin(syncer_->next());
    return std::visit([this](const auto& what) { return ledger_->run(what); }, operation);
  } catch (const DiskError& error) {
    // What only read what is damaged changed nothing that is not whole; a commit stopped in the middle is.
    if (error.writing || is_commit(operation)) throw;
    Completion answer;
    answer.status = {Code::corrupt, error.status.text(), error.status.native()};
    return answer;
  }
}

void Database::run_all(const std::vector<Session*>& sessions) {
  bool sync = false;
  for (Session* session : sessions) {
    waiting_->set_caller(session);
    for (const auto& [ticket, operation] : session->pending) {
      if ((disk_->is_dirty() && ledger_->reads_disk(operation)) || disk_->waiting_bytes() > kLargestWrite) flush(false);
      Completion answer = run(operation);
      answer.ticket = ticket;
      sync = sync || ledger_->sync() == syncer_->next();
      session->answers.push_back({ledger_->sync(), is_commit(operation), std::move(answer)});
    }
  }
  waiting_->set_caller(nullptr);
  flush(false);
  remember_mark();
  // Also for a repeated commit, whose first one was perhaps not.
  if (!sync) return;
  if (unsynced_bytes_ < kWorthAThread && syncer_->idle())
    syncer_->sync_here();
  else
    syncer_->ask();
  unsynced_bytes_ = 0;
}

void Database::serve(const Session& caller) {
  if (!dead_.ok()) return;
  std::vector<Session*> sessions;
  for (Session* session : waiting_->sessions())
    if (!session->pending.empty()) sessions.push_back(session);
  const auto now = clock_.now();
  if (!sessions.empty() || now - looked_ >= kLook) {
    looked_ = now;
    if (!place_.is_current())
      return die({Code::lost, place_.path() + " was replaced or removed, as by a restored backup; VTX opens it again"});
  }
  take_synced(caller);
  Status failure = syncer_->failure();
  if (!failure.ok()) return die(std::move(failure));
  try {
    run_all(sessions);
  } catch (const DiskError& error) {
    failure = error.status;
  } catch (const std::bad_alloc&) {
    failure = {Code::lost, place_.path() + ": no memory for the messages"};
  } catch (const std::exception& error) {  // a defect of ours: the books may be wrong now, those on disk are not
    failure = {Code::lost, place_.path() + ": " + error.what()};
  }
  if (failure.ok()) {
    take_synced(caller);  // what had waited goes before what did not have to
    for (Session* session : sessions) answer(*session, caller);
    return;
  }
  for (Session* session : sessions) doubt(*session, failure);
  die(std::move(failure));
}

/// What waited for a sync that has been done.
void Database::take_synced(const Session& caller) {
  const u64 synced = synced_ = syncer_->done();
  ledger_->synced(synced);
  for (Session* session : waiting_->sessions()) {
    const auto waits = [synced](const Held& held) { return held.sync > synced; };
    const auto rest = std::stable_partition(session->held.begin(), session->held.end(), std::not_fn(waits));
    if (rest == session->held.begin()) continue;
    for (auto it = session->held.begin(); it != rest; ++it) session->done.push_back(std::move(it->answer));
    session->held.erase(session->held.begin(), rest);
    if (session != &caller) session->wake();
  }
}

/// What the session asked has been done and written.
void Database::answer(Session& session, const Session& caller) {
  for (Held& held : session.answers) {
    if (held.sync > synced_)
      session.held.push_back(std::move(held));
    else
      session.done.push_back(std::move(held.answer));
  }
  session.answers.clear();
  session.pending.clear();
  if (&session != &caller) session.wake();
}

/// Of what the session asked last nobody knows whether it was done.
void Database::doubt(Session& session, const Status& failure) {
  session.answers.clear();
  for (const auto& [ticket, operation] : session.pending)
    tell(session, ticket, doubtful(failure, is_commit(operation)));
  session.pending.clear();
}

/// The end of all sessions. The directory is closed, so that it can be opened again.
void Database::die(Status why) {
  dead_ = std::move(why);
  disk_->stop_background();
  syncer_.reset();
  first_ = nullptr;
  for (Session* session : std::set<Session*>(waiting_->sessions())) {
    for (const Held& held : session->held)
      tell(*session, held.answer.ticket, {held.is_commit ? Code::in_doubt : Code::lost, dead_.text()});
    for (const Pending& pending : session->pending) tell(*session, pending.ticket, {Code::lost, dead_.text()});
    session->held.clear();
    session->pending.clear();
    session->over = Status(Code::lost, dead_.text(), dead_.native());
    waiting_->detach(*session);
    session->wake();
  }
  ledger_.reset();
  log_.reset();
  waiting_.reset();
  books_.reset();
  disk_.reset();
}

}  // namespace vtx::rocks
