/* SPDX-License-Identifier: MPL-2.0 */
#include "store.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include "vtx/driver/options.hpp"

namespace vtx::rocks {

using driver::Event;

namespace {

constexpr std::size_t kLeastMemtable = std::size_t{1} << 20;
constexpr std::size_t kMostMemtable = std::size_t{1} << 30;

}  // namespace

Result<Tuning> tuning_of(const driver::Endpoint& endpoint) {
  Tuning tuning;
  for (const auto& [name, value] : endpoint.options) {
    if (name == "compression") {
      if (value != "none" && value != "lz4" && value != "zstd")
        return fail(Code::invalid, "compression=" + value + ": it is none, lz4 or zstd");
      tuning.compression = value;
    } else if (name == "memtable") {
      const auto size = driver::parse_limit(value);
      if (!size || size->bytes < kLeastMemtable || size->bytes > kMostMemtable)
        return fail(Code::invalid, "memtable=" + value + ": it is a size from 1MiB to 1GiB");
      tuning.memtable_bytes = size->bytes;
    }
  }
  return tuning;
}

RocksStore::RocksStore(const driver::Clock& clock) : clock_(clock), fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  session_.wake = [fd = fd_] {
    const u64 one = 1;
    // Fails only when the counter is full: readable already.
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  };
}

RocksStore::~RocksStore() {
  stop();
  if (fd_ >= 0) ::close(fd_);
}

Status RocksStore::start(const driver::Endpoint& endpoint, bool create) {
  stop();
  done_.clear();
  if (fd_ < 0) return {Code::invalid, "no file descriptors left; raise the limit (ulimit -n)"};
  if (endpoint.has_authority && !endpoint.authority.empty())
    return {Code::invalid, "a RocksDB directory has no host '" + endpoint.authority +
                               "'; write rocksdb:///absolute/path or rocksdb:path"};
  const auto tuning = tuning_of(endpoint);
  if (!tuning) return tuning.error();
  auto database = Database::open(endpoint.path, create, *tuning, clock_);
  Status status = database ? Status() : database.error();
  if (database) {
    database_ = std::move(*database);
    if (const auto epoch = database_->attach(session_)) {
      event(Event::opened);
      done_.back().epoch = *epoch;
      done_.back().went_back = session_.went_back;
      return {};
    } else {
      status = epoch.error();
      Database::let_go(database_);
    }
  }
  if (!is_passing(status.code())) return status;
  event(Event::lost, std::move(status));
  return {};
}

void RocksStore::submit(u64 ticket, driver::Operation operation) {
  pending_.push_back({ticket, std::move(operation)});
  session_.wake();
}

void RocksStore::event(Event what, Status status) {
  Completion& news = done_.emplace_back();
  news.event = what;
  news.status = std::move(status);
  session_.wake();
}

void RocksStore::poll(std::vector<Completion>& out) {
  u64 count = 0;
  [[maybe_unused]] const auto taken = ::read(fd_, &count, sizeof count);
  std::move(done_.begin(), done_.end(), std::back_inserter(out));
  done_.clear();
  if (!database_) refuse_pending();
  if (database_) {
    Status over = database_->serve(session_, pending_, done_);
    if (!over.ok()) {
      Database::let_go(database_);
      event(Event::lost, std::move(over));
    }
  }
  std::move(done_.begin(), done_.end(), std::back_inserter(out));
  done_.clear();
}

Ms RocksStore::next_poll() const {
  if (!done_.empty() || !pending_.empty()) return Ms(0);
  // For whether the directory is still the one that it was.
  return database_ ? Ms(1000) : Ms::max();
}

void RocksStore::refuse_pending() {
  for (const auto& [ticket, operation] : pending_) {
    Completion& answer = done_.emplace_back();
    answer.ticket = ticket;
    answer.status = {Code::lost, "the session has ended"};
  }
  pending_.clear();
}

/// What was not yet polled for has had no effect.
void RocksStore::stop() {
  std::erase_if(done_, [](const Completion& done) { return done.event != Event::answer; });
  if (!pending_.empty()) session_.wake();
  refuse_pending();
  if (!database_) return;
  database_->detach(session_);
  Database::let_go(database_);
}

}  // namespace vtx::rocks
