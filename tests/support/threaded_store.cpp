/* SPDX-License-Identifier: MPL-2.0 */
#include "support/threaded_store.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <future>

namespace vtx::test {

using driver::Completion;
using driver::Event;
using driver::Ms;

namespace {

void ring(int bell) {
  const driver::u64 one = 1;
  [[maybe_unused]] const auto written = ::write(bell, &one, sizeof one);
}

void clear(int bell) {
  driver::u64 count = 0;
  [[maybe_unused]] const auto taken = ::read(bell, &count, sizeof count);
}

bool is_event(const Completion& one) { return one.event != Event::answer; }

}  // namespace

ThreadedStore::ThreadedStore(std::unique_ptr<driver::Store> store, bool revives)
    : store_(std::move(store)),
      revives_(revives),
      asked_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      told_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (asked_ < 0 || told_ < 0) std::abort();  // a test without descriptors left proves nothing
  thread_ = std::thread([this] { run(); });
}

ThreadedStore::~ThreadedStore() {
  stop();
  post([this] { ending_ = true; });
  thread_.join();
  ::close(asked_);
  ::close(told_);
}

void ThreadedStore::run() {
  while (true) {
    std::deque<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
    if (ending_) return;
    look();
    std::array<pollfd, 2> waiting{{{asked_, POLLIN, 0}, {store_->fd(), POLLIN, 0}}};
    const Ms patience = std::clamp(store_->next_poll(), Ms{0}, Ms{60'000});
    ::poll(waiting.data(), waiting.size(), static_cast<int>(patience.count()));
    clear(asked_);
  }
}

void ThreadedStore::look() {
  std::vector<Completion> news;
  store_->poll(news);
  if (revives_ && std::ranges::any_of(news, [](const auto& one) { return one.event == Event::lost; })) {
    std::this_thread::sleep_for(Ms{1});
    (void)store_->start(endpoint_, true);
    return;
  }
  if (news.empty()) return;
  const std::lock_guard lock(mutex_);
  std::ranges::move(news, std::back_inserter(news_));
  ring(told_);
}

void ThreadedStore::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  ring(asked_);
}

void ThreadedStore::call(const std::function<void()>& task) {
  // shared: the thread may still be in set_value() when we go on
  const auto done = std::make_shared<std::promise<void>>();
  post([&task, done] {
    task();
    done->set_value();
  });
  done->get_future().wait();
}

Status ThreadedStore::start(const driver::Endpoint& endpoint, bool create) {
  endpoint_ = endpoint;
  Status status;
  call([&] { status = store_->start(endpoint_, create); });
  return status;
}

void ThreadedStore::submit(driver::u64 ticket, driver::Operation operation) {
  post([this, ticket, operation = std::move(operation)] { store_->submit(ticket, operation); });
}

void ThreadedStore::poll(std::vector<Completion>& out) {
  clear(told_);
  const std::lock_guard lock(mutex_);
  std::ranges::move(news_, std::back_inserter(out));
  news_.clear();
}

void ThreadedStore::stop() {
  call([this] {
    store_->stop();
    look();
  });
  const std::lock_guard lock(mutex_);
  std::erase_if(news_, is_event);
}

}  // namespace vtx::test
