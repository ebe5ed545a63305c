/* SPDX-License-Identifier: MPL-2.0 */
//
// The transaction loop. What was submitted waits in queue_ until this process has the lock; then all of it is one transaction, so that commits
// of all links share one sync. A failing transaction is rolled back and each of its operations answered; nothing is half done.
#include "store.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <span>

#include "fence.hpp"

namespace vtx::sqlite {
namespace {

using namespace std::chrono_literals;
constexpr auto kBusyPause = 5ms;

bool only_reads(const driver::Operation& operation) {
  return std::holds_alternative<driver::Read>(operation) || std::holds_alternative<driver::ListPeers>(operation) ||
         std::holds_alternative<driver::Locate>(operation) || std::holds_alternative<driver::Inspect>(operation) ||
         std::holds_alternative<driver::Check>(operation);
}

/// The stream that it only reads; nothing when it does more or concerns others too.
std::optional<Id> stream_read(const driver::Operation& operation) {
  if (const auto* read = std::get_if<driver::Read>(&operation)) return read->stream;
  if (const auto* locate = std::get_if<driver::Locate>(&operation)) return locate->stream;
  return std::nullopt;
}

/// What it waits for, having found nothing.
std::optional<Key> vain_key(const driver::Operation& operation, const Completion& answer) {
  if (!answer.status.ok()) return std::nullopt;
  if (const auto* read = std::get_if<driver::Read>(&operation); read && read->wait && answer.messages.empty())
    return key_of_stream(read->stream);
  if (const auto* list = std::get_if<driver::ListPeers>(&operation); list && list->wait && answer.peers.empty())
    return key_of_peers(list->queue);
  return std::nullopt;
}

bool wants_sync(const driver::Operation& operation) {
  const auto* commit = std::get_if<driver::Commit>(&operation);
  return commit && commit->sync && (!commit->appends.empty() || !commit->settles.empty());
}

}  // namespace

SqliteStore::SqliteStore(const driver::Clock& clock) : clock_(clock), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

SqliteStore::~SqliteStore() {
  stop();
  if (epoll_ >= 0) ::close(epoll_);
}

Status SqliteStore::start(const driver::Endpoint& endpoint, bool create) {
  stop();
  done_.clear();
  if (epoll_ < 0) return {Code::invalid, "no file descriptors left; raise the limit (ulimit -n)"};
  auto status = open(endpoint, create);
  if (status.ok() && lock_->try_lock()) status = finish_open();
  if (status.ok()) return {};
  if (is_passing(status.code())) {
    end_session(std::move(status));
    return {};
  }
  close();
  return status;
}

void SqliteStore::submit(u64 ticket, driver::Operation operation) {
  if (state_ != State::closed) {
    queue_.push_back({ticket, std::move(operation)});
    return;
  }
  Completion refused;
  refused.ticket = ticket;
  refused.status = {Code::lost, "the store is not open"};
  done_.push_back(std::move(refused));
}

void SqliteStore::poll(std::vector<Completion>& out) {
  if (state_ != State::closed) notice_events();
  if (state_ == State::opening && lock_->try_lock())
    if (auto status = finish_open(); !status.ok()) end_session(std::move(status));
  if (state_ == State::live) answer_beats();
  if (state_ == State::live) run_queue();
  std::move(done_.begin(), done_.end(), std::back_inserter(out));
  done_.clear();
}

Ms SqliteStore::next_poll() const {
  if (!done_.empty()) return Ms(0);
  if (state_ != State::live) return Ms::max();
  const auto now = clock_.now();
  Ms next = watch_.next(now, !waiting_.empty());
  if (retry_at_) return std::min(next, std::max(Ms(0), std::chrono::ceil<Ms>(*retry_at_ - now)));
  // With something queued and no lock asked for, it is due now; with the lock asked for, fd() tells.
  return queue_.empty() || waits_for_lock_ ? next : Ms(0);
}

void SqliteStore::run_queue() {
  if (queue_.empty() || (retry_at_ && clock_.now() < *retry_at_)) return;
  retry_at_.reset();
  if (const auto count = take_reads_ahead(); count > 0) run_readers(count);
  if (queue_.empty() || retry_at_) return;
  waits_for_lock_ = !lock_->try_lock();
  if (waits_for_lock_) return;
  transact();
  if (lock_) lock_->unlock();
}

/// Brings to the front of the queue what need not wait for the lock, and counts it: all when all only read, else the reading of streams
/// that nothing before it in the queue appends to.
std::size_t SqliteStore::take_reads_ahead() {
  if (singly_ > 0) return 0;
  if (std::all_of(queue_.begin(), queue_.end(), [](const Pending& pending) { return only_reads(pending.operation); }))
    return queue_.size();
  std::set<Id> appended;
  bool siblings = false;  // which ones these are only the transaction will know
  const auto others = std::stable_partition(queue_.begin(), queue_.end(), [&](const Pending& pending) {
    if (const auto* commit = std::get_if<driver::Commit>(&pending.operation)) {
      for (const auto& append : commit->appends) {
        appended.insert(append.stream);
        siblings = siblings || append.priority > 0;
      }
    }
    const auto stream = stream_read(pending.operation);
    return stream && !siblings && !appended.contains(*stream);
  });
  return static_cast<std::size_t>(others - queue_.begin());
}

/// Without the lock. Who waits for a stream is armed first and then reads once more: a commit is either visible to that second reading, or
/// its writer, who looks for the armed after COMMIT, finds this one and rings. Of a commit by plain SQL, which rings nobody, data_version
/// tells: wait_for() takes it before the second reading.
void SqliteStore::run_readers(std::size_t count) {
  const auto reads = std::span(queue_).first(count);
  try {
    std::vector<Completion> answers;
    read(reads, answers);
    if (state_ != State::live) return;
    bool vain = false;
    for (std::size_t i = 0; i < count; ++i) {
      const auto key = vain_key(reads[i].operation, answers[i]);
      if (!key) continue;
      wait_for(*key, answers[i]);
      vain = true;
    }
    full_fence();  // armed before it reads; its counterpart is in ring()
    if (vain) read(reads, answers);
    if (state_ != State::live) return;
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    std::move(answers.begin(), answers.end(), std::back_inserter(done_));
  } catch (const SqliteError& error) {
    fail_transaction(error, false);
  } catch (const std::bad_alloc&) {
    fail_transaction({SQLITE_NOMEM, "no memory for the messages"}, false);
  }
}

/// In one snapshot: the first time all, then again those that found nothing and wait.
void SqliteStore::read(std::span<const Pending> reads, std::vector<Completion>& answers) {
  const bool again = !answers.empty();
  database_.run("BEGIN");
  if (auto status = check_current(); !status.ok()) {
    database_.rollback();
    return end_session(std::move(status));
  }
  ledger_.begin(clock_.wall());
  for (std::size_t i = 0; i < reads.size(); ++i) {
    if (!again)
      answers.push_back(apply(reads[i]));
    else if (vain_key(reads[i].operation, answers[i]))
      answers[i] = apply(reads[i]);
  }
  database_.rollback();  // nothing was written; unlike COMMIT it ends after damage was met, too, which a check survives
}

/// False: there is none, and what is queued stays so or has been answered.
bool SqliteStore::begin_transaction(std::span<const Pending> operations) {
  database_.set_sync(std::any_of(operations.begin(), operations.end(),
                                 [](const Pending& pending) { return wants_sync(pending.operation); }));
  if (!database_.begin()) {
    retry_at_ = clock_.now() + kBusyPause;
    return false;
  }
  auto status = check_place();
  if (status.ok()) status = check_current();
  if (status.ok()) return true;
  database_.rollback();
  end_session(std::move(status));
  return false;
}

/// In a transaction: the database has still the schema and the epoch that this session began with.
Status SqliteStore::check_current() {
  const auto version = database_.data_version();
  if (version == schema_seen_) return {};
  auto status = check_schema();
  if (status.ok()) status = check_epoch();
  if (status.ok()) schema_seen_ = version;
  return status;
}

void SqliteStore::transact() {
  const std::span<const Pending> operations = std::span(queue_).first(singly_ > 0 ? 1 : queue_.size());
  bool committing = false;
  try {
    if (!begin_transaction(operations)) return;
    ledger_.begin(clock_.wall());
    const auto changes_before = database_.total_changes();
    std::vector<Completion> answers;
    answers.reserve(operations.size());
    for (const auto& pending : operations) {
      answers.push_back(apply(pending));
      if (const auto key = vain_key(pending.operation, answers.back())) wait_for(*key, answers.back());
      if (answers.back().status.code() == Code::full) wait_for(key_of_room(ledger_.full()), answers.back());
    }
    std::vector<Id> groups = next_in_line_;
    if (ledger_.has_awakened() && (!waiting_.empty() || side_->is_anyone_waiting())) {
      const auto awakened = ledger_.awakened();
      groups.insert(groups.end(), awakened.begin(), awakened.end());
    }
    const auto all = keys_of_all();
    const bool changed = database_.total_changes() != changes_before;
    if (changed) {
      database_.run("UPDATE vtx_store SET mark = ?", life_.mark + 1);
      side_->count_commit();  // one that changes nothing moves no data_version
      ++commits_seen_;
    }
    committing = true;
    database_.run("COMMIT");
    committing = false;
    if (changed) ++life_.mark;
    if (changed) remember_life();
    take_done(operations.size());
    new_holders_.clear();
    std::move(answers.begin(), answers.end(), std::back_inserter(done_));
    ring(groups, all);
    database_.checkpoint();
  } catch (const SqliteError& error) {
    fail_transaction(error, committing);
  } catch (const std::bad_alloc&) {
    fail_transaction({SQLITE_NOMEM, "no memory for the messages"}, committing);
  }
  next_in_line_.clear();
}

Completion SqliteStore::apply(const Pending& pending) {
  Completion out;
  out.ticket = pending.ticket;
  std::visit(
      [&](const auto& operation) {
        using Kind = std::decay_t<decltype(operation)>;
        if constexpr (std::is_same_v<Kind, driver::Beat> || std::is_same_v<Kind, driver::TakeOver> ||
                      std::is_same_v<Kind, driver::Hold> || std::is_same_v<Kind, driver::Steer> ||
                      std::is_same_v<Kind, driver::StopWaiting> || std::is_same_v<Kind, driver::Check>)
          apply(operation, out);
        else if constexpr (std::is_same_v<Kind, driver::ClaimNext>)
          claim(operation, out);
        else
          ledger_.apply(operation, out);
        if constexpr (std::is_same_v<Kind, driver::Tend>) forget_dead_holders();
      },
      pending.operation);
  return out;
}

void SqliteStore::claim(const driver::ClaimNext& next, Completion& out) {
  if (!holders_.contains(next.holder)) {
    out.status = {Code::fenced, "holder " + std::to_string(next.holder) + " has ended"};
    return;
  }
  ledger_.apply(next, out);
  if (out.claim && waiting_.erase(key_of_group(next.group)) > 0) arm_for_the_rest();
  if (out.claim && out.more) next_in_line_.push_back(next.group);
  if (out.status.ok() && !out.claim && !out.retry_waiting) wait_for(key_of_group(next.group), out);
}

void SqliteStore::take_done(std::size_t count) {
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
  singly_ = std::min(queue_.size(), singly_ > 0 ? singly_ - 1 : 0);
}

void SqliteStore::fail_transaction(const SqliteError& error, bool committing) {
  const int kind = error.native & 0xff;
  database_.rollback();
  ledger_.roll_back();
  give_up_new_holders();
  auto status = translate(error, path_);
  if (kind == SQLITE_BUSY || kind == SQLITE_LOCKED) {
    retry_at_ = clock_.now() + kBusyPause;
    return;
  }
  const bool of_one = kind == SQLITE_TOOBIG || kind == SQLITE_CONSTRAINT;
  if (kind != SQLITE_FULL && !of_one) {
    // A sync that failed in COMMIT may have reached the disk nevertheless.
    doubt_ = committing;
    return end_session(std::move(status));
  }
  if (of_one && singly_ == 0 && queue_.size() > 1) {
    singly_ = queue_.size();
    return;
  }
  const std::size_t count = of_one ? 1 : queue_.size();
  for (const auto& pending : std::span(queue_).first(count)) {
    Completion failed;
    failed.ticket = pending.ticket;
    failed.status = status;
    done_.push_back(std::move(failed));
  }
  take_done(count);
}

void SqliteStore::end_session(Status why) {
  close();
  Completion lost;
  lost.event = driver::Event::lost;
  lost.status = std::move(why);
  done_.push_back(std::move(lost));
}

void SqliteStore::stop() {
  if (state_ == State::closed) return;
  // Rows of our holders: when the lock is free at once. Else their freed slots say it, and others remove the rows.
  try {
    if (state_ == State::live && lock_->try_lock() && database_.begin() && check_current().ok()) {
      ledger_.begin(clock_.wall());
      for (const auto& [holder, slot] : holders_)
        if (!database_.value("SELECT 1 FROM vtx_claim WHERE holder = ?", holder)) ledger_.end_holder(holder);
      database_.run("COMMIT");
    }
  } catch (const SqliteError&) {
    database_.rollback();
  }
  close();
}

void SqliteStore::close() {
  for (const auto& pending : queue_) {
    Completion lost;
    lost.ticket = pending.ticket;
    const bool doubtful = doubt_ && std::holds_alternative<driver::Commit>(pending.operation);
    lost.status = doubtful
                      ? Status(Code::in_doubt, path_ + ": the commit's outcome is unknown until it is submitted again")
                      : Status(Code::lost, path_ + ": the session ended");
    done_.push_back(std::move(lost));
  }
  take_done(queue_.size());
  doubt_ = false;
  if (side_) {
    for (const auto& [holder, slot] : holders_) side_->free_slot(slot);
    if (bell_) side_->free_slot(slot_);
  }
  holders_.clear();
  new_holders_.clear();
  waiting_.clear();
  listening_ = false;
  watch_.stop();  // closing a descriptor takes it out of the epoll set
  bell_.reset();
  database_.rollback();
  database_.close();
  lock_.reset();
  side_.reset();
  ledger_.reset();
  retry_at_.reset();
  waits_for_lock_ = false;
  schema_seen_ = epoch_seen_ = change_seen_ = checked_version_ = -1;
  commits_seen_ = 0;
  state_ = State::closed;
}

}  // namespace vtx::sqlite
