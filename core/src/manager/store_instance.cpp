/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/store_instance.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <random>

#include "manager/question.hpp"
#include "store/tender.hpp"
#include "util/quiet_thread.hpp"

namespace vtx {

using namespace driver;

namespace {

std::string address_of(const Endpoint& endpoint) {
  std::string key =
      fmt::format("{}:{}@{}/{}", endpoint.scheme, endpoint.user.value_or(""), endpoint.authority, endpoint.path);
  for (const auto& [name, value] : endpoint.options) key += fmt::format("&{}={}", name, value);
  return key;
}

}  // namespace

StoreInstance::StoreInstance(void* zmq_context, pthread_t reaper, StoreFactory factory, BatchRegistry& registry,
                             Monitors& monitors, OnEnded on_ended, const Clock& clock)
    : context_(zmq_context),
      factory_(std::move(factory)),
      on_ended_(std::move(on_ended)),
      clock_(clock),
      releases_(std::make_shared<ReleaseQueue>()),
      home_{zmq_context,
            releases_,
            reaper,
            {},
            registry,
            monitors,
            [this](int fd) { (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }},
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!valid()) return;
  watch(bell_.fd(), kPosted);
  watch(releases_->fd(), kReleased);
  thread_ = quiet_thread([this] { run(); });
}

StoreInstance::~StoreInstance() {
  if (!thread_.joinable()) return;
  shut_down();
  thread_.join();
}

bool StoreInstance::valid() const { return epoll_.valid() && bell_.valid() && releases_->fd() >= 0; }

void StoreInstance::watch(int fd, std::uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  (void)epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

std::shared_ptr<Link> StoreInstance::link(LinkId id) const {
  const auto found = links_.find(id);
  return found == links_.end() ? nullptr : found->second;
}

Result<Engine*> StoreInstance::engine_for(const Endpoint& endpoint, bool create, int reconnect_ms,
                                          int reconnect_max_ms) {
  const std::string address = address_of(endpoint);
  if (const auto found = engines_.find(address); found != engines_.end()) {
    found->second->revive();
    return found->second.get();
  }
  std::unique_ptr<Store> store = factory_();
  if (!store) return fail(Code::internal, "the driver could not make a store: out of memory");
  auto engine = std::make_unique<Engine>(
      std::move(store), endpoint, create,
      Backoff(Ms(reconnect_ms), Ms(reconnect_max_ms),
              [random = std::mt19937_64(std::random_device{}())]() mutable { return random(); }),
      Reactor{timers_, clock_});
  const Status status = engine->start();
  if (!status.ok()) return tl::unexpected<Status>(status);
  watch(engine->fd(), kOther);
  return (engines_[address] = std::move(engine)).get();
}

void StoreInstance::start_link(LinkId id, LinkRequest request, const std::shared_ptr<Call<Status>>& call) {
  auto engine = engine_for(request.endpoint.address, true, request.reconnect_ms, request.reconnect_max_ms);
  if (!engine) return call->answer(engine.error());
  busy_poll_ = std::max(busy_poll_, request.endpoint.options.busy_poll);
  const auto made = std::make_shared<Link>(std::move(request), **engine, home_);
  links_[id] = made;
  made->start([call, weak = std::weak_ptr(made)](const Status& status) {
    call->answer(status);
    if (const auto self = weak.lock(); self && !status.ok()) self->drop();
  });
}

void StoreInstance::run() {
  home_.driver = pthread_self();
  while (!ended_) {
    if (!turn()) sleep();
  }
  for (Slot* slot = releases_->close(); slot != nullptr;) {
    Slot* next = slot->next;
    Receiver::on_decided(slot);
    slot = next;
  }
}

bool StoreInstance::turn() {
  bool any = run_posted();
  any |= settle_releases();
  any |= timers_.run(clock_.now());
  any |= pump_links();
  any |= run_engines();
  end_links();
  end_engines();
  if (ending_ && links_.empty() && engines_.empty()) ended_ = true;
  return any;
}

void StoreInstance::sleep() {
  if (!releases_->arm()) return;
  std::optional<Ms> wait;
  const auto no_later = [&](Ms time) { wait = wait ? std::min(*wait, time) : time; };
  if (const auto next = timers_.next()) no_later(std::chrono::ceil<Ms>(*next - clock_.now()));
  for (const auto& [address, engine] : engines_) {
    if (engine->next_poll() != Ms::max()) no_later(engine->next_poll());
  }
  std::array<epoll_event, 64> events{};
  const int timeout = wait ? static_cast<int>(std::clamp<Ms::rep>(wait->count(), 0, 60'000)) : -1;
  const int count = ended_ ? 0 : wait_for(events, timeout);
  releases_->disarm();
  for (int i = 0; i < count; ++i) {
    const std::uint64_t key = events[static_cast<std::size_t>(i)].data.u64;
    if (key == kPosted) bell_.clear();
    if (key == kReleased) releases_->clear_bell();
    if ((key & kLink) == 0) continue;
    if (const auto target = link(key & ~kLink)) target->on_readable();
  }
}

/// Looks for as long as a link wants, and sleeps for what is left then. By the processor's clock, whatever clock the rest goes by: it is about microseconds.
int StoreInstance::wait_for(std::span<epoll_event> events, int timeout_ms) const {
  using Now = std::chrono::steady_clock;
  const auto look = [&](int ms) {
    return epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), ms);
  };
  if (busy_poll_.count() == 0) return look(timeout_ms);
  const auto begin = Now::now();
  auto spent = Now::duration(0);
  do {
    if (const int count = look(0); count != 0) return count;
    spent = Now::now() - begin;
    if (timeout_ms >= 0 && spent >= Ms(timeout_ms)) return 0;
  } while (spent < busy_poll_);
  if (timeout_ms < 0) return look(-1);
  return look(static_cast<int>((std::chrono::ceil<Ms>(Ms(timeout_ms) - spent)).count()));
}

bool StoreInstance::run_posted() {
  std::vector<std::function<void()>> actions;
  {
    const std::lock_guard lock(mutex_);
    actions.swap(posted_);
  }
  for (auto& action : actions) action();
  return !actions.empty();
}

bool StoreInstance::settle_releases() {
  Slot* slot = releases_->take();
  const bool any = slot != nullptr;
  while (slot != nullptr) {
    Slot* next = slot->next;
    Receiver::on_decided(slot);
    slot = next;
  }
  return any;
}

bool StoreInstance::pump_links() {
  bool any = false;
  for (auto& [id, target] : links_) any |= target->pump();
  return any;
}

bool StoreInstance::run_engines() {
  bool any = false;
  for (auto& [address, engine] : engines_) any |= engine->run();
  return any;
}

void StoreInstance::end_links() {
  std::erase_if(questions_, [](const auto& question) { return question->done; });
  for (auto entry = links_.begin(); entry != links_.end();) {
    Link& target = *entry->second;
    if (ending_ && !target.done()) {
      target.detach();
      if (target.hopeless()) target.drop();
    }
    if (!target.done()) {
      ++entry;
      continue;
    }
    on_ended_(entry->first, target.joined());
    entry = links_.erase(entry);
    busy_poll_ = {};
    for (const auto& [id, other] : links_) busy_poll_ = std::max(busy_poll_, other->busy_poll());
  }
  // Last, so that no link outlives its engine here.
  std::erase_if(leaving_, [](const auto& entry) {
    const bool over = entry.link->done() || (!entry.until_done && entry.link->given_back());
    if (over) entry.call->answer(true);
    return over;
  });
}

void StoreInstance::end_engines() {
  for (auto entry = engines_.begin(); entry != engines_.end();) {
    Engine& engine = *entry->second;
    if (engine.has_members()) {
      ++entry;
      continue;
    }
    engine.tender().finish();
    (void)engine.run();
    engine.stop();
    while (engine.run()) {
    }
    home_.unwatch(engine.fd());
    entry = engines_.erase(entry);
  }
}

}  // namespace vtx
