/* SPDX-License-Identifier: MPL-2.0 */
//
// What was submitted between two polls becomes one batch, written at once; memory is never ahead of the disk for longer than that. When a write
// fails nobody knows what the disk has of it: the books in memory are thrown away, all sessions end, and the next start reads the disk.
#include "database.hpp"

#include <map>
#include <new>

#include "random.hpp"

namespace vtx::rocks {

using namespace std::chrono_literals;

namespace {

/// How long it may take until an exchanged directory is noticed by who only waits.
constexpr auto kLook = 1s;
/// What is gathered for one write is in memory twice for a moment.
constexpr std::size_t kLargestWrite = std::size_t{16} << 20;

struct Registry {
  std::mutex mutex;
  std::map<Place::Key, std::weak_ptr<Database>> open;
};

Registry& registry() {
  static Registry one;
  return one;
}

bool wants_sync(const driver::Operation& operation) {
  const auto* commit = std::get_if<driver::Commit>(&operation);
  return commit && commit->sync && (!commit->appends.empty() || !commit->settles.empty());
}

/// Plain appends and acknowledgements need no look at the disk.
bool reads_disk(const driver::Operation& operation) {
  const auto* commit = std::get_if<driver::Commit>(&operation);
  if (!commit) return !std::holds_alternative<driver::Beat>(operation);
  for (const auto& settle : commit->settles)
    if (!settle.odd.empty()) return true;
  return !commit->settles.empty();  // of dead letters
}

Status doubtful(const Status& why, const driver::Operation& operation) {
  if (why.code() == Code::no_space) return why;
  if (!std::holds_alternative<driver::Commit>(operation)) return {Code::lost, why.text(), why.native()};
  return {Code::in_doubt, why.text() + "; the commit's outcome is unknown until it is submitted again", why.native()};
}

}  // namespace

Result<std::shared_ptr<Database>> Database::open(const std::string& path, bool create, const Tuning& tuning,
                                                 const driver::Clock& clock) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  auto place = Place::open(path, create);
  if (!place) return tl::unexpected(place.error());
  auto& known = all.open[place->key()];
  if (auto database = known.lock()) {
    const std::lock_guard inner(database->mutex_);
    if (database->dead_.ok()) return database;
  }
  if (Status status = place->check_free(); !status.ok()) return tl::unexpected(status);
  std::shared_ptr<Database> database(new Database(std::move(*place), clock));
  if (Status status = database->start(create, tuning); !status.ok()) return tl::unexpected(status);
  known = database;
  std::erase_if(all.open, [](const auto& entry) { return entry.second.expired(); });
  return database;
}

void Database::let_go(std::shared_ptr<Database>& database) {
  const std::lock_guard lock(registry().mutex);
  database.reset();
}

Database::~Database() = default;

Status Database::start(bool create, const Tuning& tuning) {
  try {
    const auto there = Disk::probe(place_.fd(), place_.path());
    if (!there) return there.error();
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
    return {};
  } catch (const DiskError& error) {
    return error.status;
  } catch (const std::bad_alloc&) {
    return {Code::lost, place_.path() + ": no memory to open it"};
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
    ledger_->begin();
    ledger_->begin_epoch(std::max(store.epoch, other.epoch) + 1, other.mark + 1);
    flush(true);
  } else {
    marks_.remember({store.id, store.epoch, store.mark});
  }
  return went_back;
}

Result<std::string> Database::attach(Session& session) {
  const std::lock_guard lock(mutex_);
  if (!dead_.ok()) return tl::unexpected(dead_);
  waiting_->attach(session);
  session.went_back = std::exchange(went_back_, false);
  const StoreRow& store = books_->store();
  return store.id + "/" + std::to_string(store.epoch) + "." + store.life;
}

void Database::detach(Session& session) {
  const std::lock_guard lock(mutex_);
  if (!dead_.ok()) return;
  ledger_->end_holders(session);
  waiting_->detach(session);
}

/// Writes all that changed since the last time.
void Database::flush(bool sync) {
  if (books_->is_touched() || disk_->is_dirty()) {
    ++books_->store().mark;
    (void)books_->write();
    disk_->write(sync);
    const StoreRow& store = books_->store();
    marks_.remember({store.id, store.epoch, store.mark});
    log_->was_written();
  } else if (sync) {
    disk_->sync();  // a repeated commit, whose first one was perhaps not
  }
}

Completion Database::run(const driver::Operation& operation) {
  try {
    ledger_->begin();
    return std::visit([this](const auto& what) { return ledger_->run(what); }, operation);
  } catch (const DiskError& error) {
    // What only read what is damaged changed nothing that is not whole; a commit stopped in the middle is.
    if (error.writing || std::holds_alternative<driver::Commit>(operation)) throw;
    Completion answer;
    answer.status = {Code::corrupt, error.status.text(), error.status.native()};
    return answer;
  }
}

void Database::run_all(Session& session, const std::vector<Pending>& operations, std::vector<Completion>& answers) {
  bool sync = false;
  waiting_->set_caller(&session);
  for (const auto& [ticket, operation] : operations) {
    if ((disk_->is_dirty() && reads_disk(operation)) || disk_->waiting_bytes() > kLargestWrite) flush(false);
    answers.push_back(run(operation));
    answers.back().ticket = ticket;
    sync = sync || (wants_sync(operation) && answers.back().status.ok());
  }
  flush(sync);
}

Status Database::serve(Session& session, std::vector<Pending>& operations, std::vector<Completion>& out) {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.now();
  if (dead_.ok() && (!operations.empty() || now - looked_ >= kLook)) {
    looked_ = now;
    if (!place_.is_current())
      die({Code::lost, place_.path() + " was replaced or removed, as by a restored backup; VTX opens it again"});
  }
  std::vector<Completion> answers;
  bool tried = false;
  if (dead_.ok()) {
    tried = true;
    answers.reserve(operations.size());
    try {
      run_all(session, operations, answers);
    } catch (const DiskError& error) {
      die(error.status);
    } catch (const std::bad_alloc&) {
      die({Code::lost, place_.path() + ": no memory for the messages"});
    } catch (const std::exception& error) {  // a defect of ours: the books may be wrong now, those on disk are not
      die({Code::lost, place_.path() + ": " + error.what()});
    }
  }
  if (!dead_.ok()) {
    answers.clear();
    for (const auto& [ticket, operation] : operations) {
      Completion& answer = answers.emplace_back();
      answer.ticket = ticket;
      answer.status = tried ? doubtful(dead_, operation) : Status(Code::lost, dead_.text());
    }
  } else {
    waiting_->set_caller(nullptr);
    for (auto& [queue, news] : session.news) out.push_back(std::move(news));
    session.news.clear();
  }
  operations.clear();
  std::move(answers.begin(), answers.end(), std::back_inserter(out));
  return dead_.ok() ? Status() : Status(Code::lost, dead_.text(), dead_.native());
}

/// The end of all sessions. The directory is closed, so that it can be opened again.
void Database::die(Status why) {
  dead_ = std::move(why);
  disk_->stop_background();
  for (Session* session : std::set<Session*>(waiting_->sessions())) {
    session->holders.clear();
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
