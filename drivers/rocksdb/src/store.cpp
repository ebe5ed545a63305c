/* SPDX-License-Identifier: MPL-2.0 */
#include "store.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

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

SessionStore::SessionStore(Database& database, const std::string& process)
    : database_(database), fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  session_.process = process;
  session_.wake = [fd = fd_] {
    const u64 one = 1;
    // Fails only when the counter is full: readable already.
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  };
}

SessionStore::~SessionStore() {
  stop();
  if (fd_ >= 0) ::close(fd_);
}

Status SessionStore::start(const driver::Endpoint&, bool) {
  stop();
  session_.done.clear();
  if (fd_ < 0) return {Code::invalid, "no file descriptors left; raise the limit (ulimit -n)"};
  const auto epoch = database_.attach(session_);
  if (!epoch) {
    event(Event::lost, epoch.error());
    return {};
  }
  attached_ = true;
  event(Event::opened);
  session_.done.back().epoch = *epoch;
  session_.done.back().went_back = session_.went_back;
  return {};
}

void SessionStore::submit(u64 ticket, driver::Operation operation) {
  if (session_.pending.empty()) session_.wake();
  session_.pending.push_back({ticket, std::move(operation)});
}

void SessionStore::event(Event what, Status status) {
  Completion& news = session_.done.emplace_back();
  news.event = what;
  news.status = std::move(status);
  session_.wake();
}

void SessionStore::poll(std::vector<Completion>& out) {
  u64 count = 0;
  [[maybe_unused]] const auto taken = ::read(fd_, &count, sizeof count);
  if (attached_) {
    database_.serve(session_);
    for (auto& [queue, news] : session_.news) out.push_back(std::move(news));
    session_.news.clear();
  } else {
    refuse_pending();
  }
  if (attached_ && !session_.over.ok()) {
    attached_ = false;
    event(Event::lost, std::exchange(session_.over, Status()));
  }
  std::move(session_.done.begin(), session_.done.end(), std::back_inserter(out));
  session_.done.clear();
}

Ms SessionStore::next_poll() const {
  if (!session_.done.empty() || !session_.pending.empty()) return Ms(0);
  // For whether the directory is still the one that it was.
  return attached_ ? Ms(1000) : Ms::max();
}

void SessionStore::refuse_pending() {
  for (const auto& [ticket, operation] : session_.pending) {
    Completion& answer = session_.done.emplace_back();
    answer.ticket = ticket;
    answer.status = {Code::lost, "the session has ended"};
  }
  session_.pending.clear();
}

/// What was not yet polled for has had no effect; of what was, the caller learns when it asks again.
void SessionStore::stop() {
  std::erase_if(session_.done, [](const Completion& done) { return done.event != Event::answer; });
  if (!session_.pending.empty()) session_.wake();
  refuse_pending();
  for (const Held& held : std::exchange(session_.held, {})) {
    Completion& answer = session_.done.emplace_back();
    answer.ticket = held.answer.ticket;
    answer.status = {held.is_commit ? Code::in_doubt : Code::lost, "the session ended before the disk had it"};
  }
  session_.over = {};
  if (std::exchange(attached_, false)) database_.detach(session_);
}

}  // namespace vtx::rocks
