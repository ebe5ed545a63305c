/* SPDX-License-Identifier: MPL-2.0 */
//
// The thread of a store driver: one loop over the application's pipes, the databases, timers, releases and questions.
// Nothing in it waits but the one epoll_wait, and an idle loop does not run.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bridge/batch_registry.hpp"
#include "manager/instance.hpp"
#include "util/fd.hpp"

namespace vtx {

struct Question;

class StoreInstance final : public Instance {
 public:
  using StoreFactory = std::function<std::unique_ptr<driver::Store>()>;
  /// Tells the manager that a link is no more. May come twice.
  /// @param joined  it had its socket, which may have been closed without a word; else it failed, and the socket goes on
  using OnEnded = std::function<void(LinkId, bool joined)>;

  StoreInstance(void* zmq_context, pthread_t reaper, StoreFactory factory, BatchRegistry& registry, Monitors& monitors,
                OnEnded on_ended, const driver::Clock& clock);
  ~StoreInstance() override;

  /// False when the process had no descriptors left for it; it is then of no use.
  bool valid() const;

  Result<std::vector<std::string>> open(LinkId id, LinkRequest request) override;
  void close(LinkId id, void* socket, int linger_ms, bool socket_stays) override;
  Status flush(LinkId id, driver::Ms timeout) override;
  bool decide(LinkId id, const std::string& delivery_id, Outcome outcome, std::uint32_t delay_ms) override;
  bool add_stats(LinkId id, vtx_stats_t& stats) override;
  void shut_down() override;

  /// One operation on a database, without a link. @param create  make the database when there is none
  Result<driver::Completion> ask(const driver::Endpoint& endpoint, bool create, driver::Operation operation,
                                 driver::Ms timeout);

 private:
  // What epoll says: somebody posted, something else of ours, or the counterpart of a link.
  static constexpr std::uint64_t kPosted = 0;
  static constexpr std::uint64_t kOther = 1;
  static constexpr std::uint64_t kReleased = 2;
  static constexpr std::uint64_t kLink = std::uint64_t{1} << 63;

  /// A link whose close() waits, until it has given back what it had, or has ended.
  struct Leaving {
    std::shared_ptr<Link> link;
    std::shared_ptr<Call<bool>> call;
    bool until_done = false;
  };

  void post(std::function<void()> action);
  void run();
  bool turn();
  void sleep();
  /// @param timeout_ms  -1: none
  /// @return how many of what epoll watches have news, as epoll_wait()
  int wait_for(std::span<epoll_event> events, int timeout_ms) const;
  bool run_posted();
  bool settle_releases();
  bool pump_links();
  bool run_engines();
  void end_links();
  void end_engines();
  Result<Engine*> engine_for(const driver::Endpoint& endpoint, bool create, int reconnect_ms, int reconnect_max_ms);
  /// What waits for a link, or for those that it sends to; UINT64_MAX not known.
  struct Backlog {
    std::uint64_t depth = UINT64_MAX;
    std::uint64_t lag_ms = UINT64_MAX;
  };
  Backlog backlog_of(const LinkEndpoint& endpoint, const Pattern& pattern, bool bind, driver::Seq position);
  Backlog backlog_of_reader(const LinkEndpoint& endpoint, driver::Seq position);
  void start_link(LinkId id, LinkRequest request, const std::shared_ptr<Call<Status>>& call);
  std::shared_ptr<Link> link(LinkId id) const;
  void watch(int fd, std::uint64_t key);
  void end_pipes(void* socket);
  /// Runs `action` in the driver thread and waits for it.
  void in_driver(std::function<void()> action);

  void* const context_;
  const StoreFactory factory_;
  const OnEnded on_ended_;
  const driver::Clock& clock_;
  const std::shared_ptr<ReleaseQueue> releases_;
  LinkHome home_;
  Fd epoll_;
  Bell bell_;

  std::mutex mutex_;  // guards:
  std::vector<std::function<void()>> posted_;

  // Driver thread only:
  Timers timers_;
  std::map<LinkId, std::shared_ptr<Link>> links_;
  std::map<std::string, std::unique_ptr<Engine>> engines_;  ///< by address
  std::vector<std::shared_ptr<Question>> questions_;
  std::vector<Leaving> leaving_;
  std::chrono::microseconds busy_poll_{0};  ///< the longest of the links
  bool ending_ = false;
  bool ended_ = false;

  std::thread thread_;
};

}  // namespace vtx
