/* SPDX-License-Identifier: MPL-2.0 */
//
// The session of the in-memory store: when operations run, when answers come out, and what is lost with it.
#include "support/memory_store.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace vtx::test {

using driver::Completion;
using driver::Event;
using driver::Operation;

namespace {

/// The streams and groups an operation concerns: its answer may not overtake another's of the same.
std::set<Id> order_of(const Operation& operation) {
  std::set<Id> order;
  if (const auto* commit = std::get_if<driver::Commit>(&operation)) {
    for (const auto& append : commit->appends) order.insert(append.stream);
    for (const auto& settle : commit->settles) order.insert(settle.group);
  } else if (const auto* claim = std::get_if<driver::ClaimNext>(&operation)) {
    order.insert(claim->group);
  } else if (const auto* locate = std::get_if<driver::Locate>(&operation)) {
    order.insert(locate->stream);
  } else if (const auto* read = std::get_if<driver::Read>(&operation)) {
    order.insert(read->stream);
  }
  return order;
}

struct Registry {
  std::mutex mutex;
  std::map<std::string, MemoryPlace> places;
};

Registry& registry() {
  static Registry one;
  return one;
}

MemoryPlace& place_in(Registry& places, const std::string& path) {
  MemoryPlace& place = places.places[path];
  if (!place.database) place.database = std::make_shared<MemoryDatabase>();
  if (!place.faults) place.faults = std::make_shared<MemoryFaults>();
  return place;
}

}  // namespace

void place_memory(const std::string& path, MemoryPlace place) {
  const std::lock_guard lock(registry().mutex);
  registry().places[path] = std::move(place);
}

MemoryPlace memory_at(const std::string& path) {
  const std::lock_guard lock(registry().mutex);
  return place_in(registry(), path);
}

MemoryStore::MemoryStore() : MemoryStore(nullptr) {}

MemoryStore::MemoryStore(std::shared_ptr<MemoryDatabase> database, std::shared_ptr<MemoryFaults> faults)
    : database_(std::move(database)), faults_(std::move(faults)), fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) std::abort();  // a test without descriptors left proves nothing
  attachment_.wake = [this] { wake(); };
  if (database_ && !faults_) faults_ = std::make_shared<MemoryFaults>();
}

MemoryStore::~MemoryStore() {
  stop();
  if (faults_) faults_->forget(this);
  ::close(fd_);
}

void MemoryStore::wake() const {
  const u64 one = 1;
  // Fails only when the counter is full: readable already.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

Status MemoryStore::start(const driver::Endpoint& endpoint, bool create) {
  if (!database_) {
    const MemoryPlace place = memory_at(endpoint.path);
    database_ = place.database;
    faults_ = place.faults;
  }
  if (Status refused = faults_->judge_start(this, [this] { wake(); }); !refused.ok()) return refused;
  if (faults_->take_lost_opening()) {
    event(Event::lost);
    return {};
  }
  if (Status attached = database_->attach(attachment_, create); !attached.ok()) return attached;
  live_ = true;
  random_.seed(faults_->shuffle_seed());
  event(Event::opened);
  answered_.back().completion.epoch = "memory/" + std::to_string(attachment_.epoch);
  answered_.back().completion.went_back = attachment_.went_back;
  return {};
}

void MemoryStore::submit(u64 ticket, Operation operation) {
  pending_.push_back({ticket, std::move(operation)});
  wake();
}

void MemoryStore::event(Event what, std::string changed) {
  Answered news;
  news.completion.event = what;
  news.completion.changed = std::move(changed);
  if (what == Event::lost) news.completion.status = Status(Code::lost, "The memory store's session was lost.");
  answered_.push_back(std::move(news));
  wake();
}

void MemoryStore::poll(std::vector<Completion>& out) {
  u64 count = 0;
  [[maybe_unused]] const auto taken = ::read(fd_, &count, sizeof count);
  if (live_) {
    bool cut = false;
    for (const std::string& queue : database_->take_changed(attachment_, cut)) event(Event::changed, queue);
    if (faults_->take_lost_session(this) || cut) end_session(false);
  }
  run_pending();
  hand_over(out);
}

void MemoryStore::run_pending() {
  while (!pending_.empty()) {
    Pending next = std::move(pending_.front());
    pending_.pop_front();
    Answered done;
    done.order = order_of(next.operation);
    done.commit = std::holds_alternative<driver::Commit>(next.operation);
    MemoryFaults::Doom doom;
    if (!live_) {
      done.completion = refuse(Code::lost, "The memory store has no session.");
    } else if (doom = faults_->judge(next.operation); doom.loses_answer) {
      if (*doom.loses_answer) database_->run(attachment_, next.operation);
      done.completion = refuse(Code::in_doubt, "The answer of the commit was lost.");
    } else if (doom.fails) {
      done.completion.status = *doom.fails;
    } else {
      done.completion = database_->run(attachment_, next.operation);
    }
    done.completion.ticket = next.ticket;
    answered_.push_back(std::move(done));
    if (doom.loses_answer) end_session(false);
  }
}

/// Clean: by stop(). Otherwise what other stores and the engine see when a connection breaks.
void MemoryStore::end_session(bool clean) {
  if (!live_) return;
  live_ = false;
  database_->detach(attachment_, clean && !leaves_holders_);
  // Commits whose answers wait to be shuffled have run, but nobody will ever hear that.
  for (Answered& done : answered_) {
    if (!done.commit || !done.completion.status.ok()) continue;
    const u64 ticket = done.completion.ticket;
    done.completion = refuse(Code::in_doubt, "The session ended before the commit's answer came.");
    done.completion.ticket = ticket;
  }
  run_pending();
  if (!clean) event(Event::lost);
}

/// Without a seed all that is answered. With one each answer may wait for a later poll(), but whatever shares a
/// stream or group with one that waits must wait too. Events never wait.
void MemoryStore::hand_over(std::vector<Completion>& out) {
  const bool shuffles = faults_ && faults_->shuffle_seed() != 0 && live_;
  std::deque<Answered> waiting;
  std::set<Id> blocked;
  while (!answered_.empty()) {
    Answered next = std::move(answered_.front());
    answered_.pop_front();
    const bool is_event = next.completion.event != Event::answer;
    const bool overtakes = std::ranges::any_of(next.order, [&](Id id) { return blocked.contains(id); });
    if (shuffles && !is_event && (overtakes || random_() % 2 == 0)) {
      blocked.insert(next.order.begin(), next.order.end());
      waiting.push_back(std::move(next));
    } else {
      out.push_back(std::move(next.completion));
    }
  }
  answered_ = std::move(waiting);
  if (!answered_.empty()) wake();
}

void MemoryStore::stop() {
  end_session(true);
  std::erase_if(answered_, [](const Answered& done) { return done.completion.event != Event::answer; });
}

extern "C" const vtx_driver_t* vtx_memory_driver(void) {
  static const vtx_driver_t table = {VTX_DRIVER_ABI_VERSION,
                                     sizeof(vtx_driver_t),
                                     nullptr,
                                     nullptr,
                                     [] { return static_cast<void*>(static_cast<driver::Store*>(new MemoryStore)); },
                                     nullptr};
  return &table;
}

}  // namespace vtx::test
