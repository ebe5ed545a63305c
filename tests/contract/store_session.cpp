/* SPDX-License-Identifier: MPL-2.0 */
//
// The pump below every contract test: real poll(2) on the store's descriptor, so that a store whose descriptor
// stays silent when it has something to say fails here.
#include "contract/store_session.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <utility>

namespace vtx::test {

using Time = std::chrono::steady_clock;

std::vector<std::string> texts(const Completion& answer) {
  std::vector<std::string> found;
  for (const auto& message : answer.messages)
    found.emplace_back(reinterpret_cast<const char*>(message.body.data()), message.body.size());
  return found;
}

std::vector<Seq> seqs(const Completion& answer) {
  std::vector<Seq> found;
  for (const auto& message : answer.messages) found.push_back(message.seq);
  return found;
}

std::vector<std::string> numbers(u64 first, u64 last) {
  std::vector<std::string> found;
  for (u64 i = first; i <= last; ++i) found.push_back(std::to_string(i));
  return found;
}

std::vector<u64> bits(std::initializer_list<u32> offsets) {
  std::vector<u64> words;
  for (const u32 offset : offsets) {
    words.resize(std::max<std::size_t>(words.size(), offset / 64 + 1));
    words[offset / 64] |= u64{1} << offset % 64;
  }
  return words;
}

std::vector<u64> first_bits(u64 count) {
  std::vector<u64> words((count + 63) / 64, ~u64{0});
  if (count % 64 != 0) words.back() = (u64{1} << count % 64) - 1;
  return words;
}

std::vector<u64> all_of(const driver::Claim& claim) { return first_bits(claim.last - claim.first + 1); }

Settle settle_all(const Completion& claimed) {
  EXPECT_TRUE(claimed.claim) << "nothing was claimed";
  if (!claimed.claim) return {};
  return {claimed.claim->group, claimed.claim->id, all_of(*claimed.claim), {}};
}

Settle settle_all(const Completion& claimed, Verdict verdict, std::string reason, Ms delay) {
  Settle settle = settle_all(claimed);
  for (u32 i = 0; claimed.claim && i <= claimed.claim->last - claimed.claim->first; ++i)
    settle.odd.push_back({i, verdict, delay, reason});
  return settle;
}

StoreSession::StoreSession(std::unique_ptr<driver::Store> store, driver::Endpoint endpoint, bool create)
    : store_(std::move(store)), endpoint_(std::move(endpoint)), create_(create) {
  static std::atomic<u64> incarnations{0};
  const u64 mine = ++incarnations;
  std::memcpy(producer_.data(), &mine, sizeof mine);
  start();
}

StoreSession::~StoreSession() { store_->stop(); }

void StoreSession::start() {
  opened_ = false;
  const auto deadline = Time::now() + kGenerous;
  lost_ = true;
  while (!opened_ && Time::now() < deadline) {
    if (std::exchange(lost_, false)) {
      const Status status = store_->start(endpoint_, create_);
      ASSERT_TRUE(status.ok()) << status.text();
    }
    pump(deadline);
    if (lost_) std::this_thread::sleep_for(Ms(5));  // an engine's backoff
  }
  ASSERT_TRUE(opened_) << "the session did not open";
}

void StoreSession::pump(Time::time_point deadline) {
  auto patience = std::max(Ms{0}, std::chrono::ceil<Ms>(deadline - Time::now()));
  patience = std::min(patience, store_->next_poll());
  pollfd waiting{store_->fd(), POLLIN, 0};
  ::poll(&waiting, 1, static_cast<int>(patience.count()));
  std::vector<Completion> news;
  store_->poll(news);
  for (Completion& one : news) {
    switch (one.event) {
      case driver::Event::answer: answers_[one.ticket] = std::move(one); break;
      case driver::Event::opened:
        opened_ = true;
        epoch_ = one.epoch;
        went_back_ = one.went_back;
        break;
      case driver::Event::lost:
        opened_ = false;
        lost_ = true;
        break;
      case driver::Event::changed: changed_.insert(one.changed); break;
    }
  }
}

bool StoreSession::wait_lost() {
  const auto deadline = Time::now() + kGenerous;
  while (opened_ && Time::now() < deadline) pump(deadline);
  return !opened_;
}

u64 StoreSession::submit(driver::Operation operation) {
  store_->submit(++last_ticket_, std::move(operation));
  return last_ticket_;
}

bool StoreSession::answered(u64 ticket) {
  pump(Time::now());
  return answers_.contains(ticket);
}

Completion StoreSession::wait(u64 ticket) {
  const auto deadline = Time::now() + kGenerous;
  while (!answers_.contains(ticket) && Time::now() < deadline) pump(deadline);
  auto found = answers_.extract(ticket);
  if (found.empty()) {
    ADD_FAILURE() << "no answer came";
    Completion none;
    none.status = Status(Code::internal, "no answer came");
    return none;
  }
  return std::move(found.mapped());
}

Completion StoreSession::run(driver::Operation operation) {
  Completion answer = ask(operation);
  while (comes_back_ && (answer.status.code() == Code::lost || answer.status.code() == Code::in_doubt) && wait_lost()) {
    start();
    answer = ask(operation);
  }
  EXPECT_TRUE(answer.status.ok()) << static_cast<int>(answer.status.code()) << ' ' << answer.status.text();
  return answer;
}

bool StoreSession::wait_changed(const std::string& queue, Ms patience) {
  const auto deadline = Time::now() + patience;
  while (true) {
    const bool came = changed_.erase(queue) + changed_.erase("") > 0;
    if (came || Time::now() >= deadline) return came;
    pump(deadline);
  }
}

Id StoreSession::queue(const std::string& name, const std::string& retain) {
  driver::OpenQueue open;
  open.queue = name;
  open.defaults.retain = retain;
  return run(open).id;
}

Id StoreSession::stream(Id queue, int priority) { return run(driver::OpenStream{queue, "main", "", priority}).id; }

Id StoreSession::group(Id queue, const std::string& name) {
  driver::OpenGroup open;
  open.queue = queue;
  open.kind = "main";
  open.name = name;
  open.from = "oldest";
  return run(open).id;
}

Id StoreSession::holder(Ms lease) { return run(driver::Beat{0, lease}).id; }

driver::Commit StoreSession::next_commit() {
  driver::Commit commit;
  commit.producer = producer_;
  commit.counter = ++counter_;
  commit.sync = false;
  return commit;
}

Seq StoreSession::append(Id stream, const std::vector<std::string>& bodies, bool sync) {
  driver::Commit commit = next_commit();
  commit.sync = sync;
  driver::Append append;
  append.stream = stream;
  for (const std::string& body : bodies) {
    driver::Message message;
    message.body = std::as_bytes(std::span(body));
    append.messages.push_back(message);
  }
  commit.appends.push_back(std::move(append));
  return run(std::move(commit)).head;
}

Completion StoreSession::claim(Id group, Id holder, u32 messages, bool alone) {
  return run(driver::ClaimNext{group, holder, {messages, driver::kMaxBatchBytes}, alone});
}

std::vector<u32> StoreSession::settle(std::vector<Settle> settles) {
  driver::Commit commit;
  commit.sync = false;
  commit.settles = std::move(settles);
  return run(std::move(commit)).fenced;
}

std::vector<std::string> StoreSession::drain(Id group, Id holder) {
  std::vector<std::string> all;
  while (true) {
    const Completion got = claim(group, holder, driver::kMaxBatch, true);
    if (!got.claim) return all;
    std::ranges::copy(texts(got), std::back_inserter(all));
    EXPECT_TRUE(settle({settle_all(got)}).empty());
  }
}

u64 StoreSession::tend(const std::string& queue) {
  u64 count = 0;
  while (true) {
    const Completion done = run(driver::Tend{queue});
    count += done.count;
    if (!done.more || !done.status.ok()) return count;
  }
}

driver::QueueStats StoreSession::stats(const std::string& queue) {
  Completion answer = run(driver::Inspect{queue});
  EXPECT_EQ(answer.queues.size(), 1U);
  return answer.queues.empty() ? driver::QueueStats{} : answer.queues.front();
}

std::vector<std::string> StoreSession::read(Id stream, Seq from) {
  std::vector<std::string> all;
  while (true) {
    const Completion got = run(driver::Read{stream, from, {}});
    if (got.messages.empty()) return all;
    std::ranges::copy(texts(got), std::back_inserter(all));
    from = got.messages.back().seq + 1;
  }
}

}  // namespace vtx::test
