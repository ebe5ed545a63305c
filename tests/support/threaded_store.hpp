/* SPDX-License-Identifier: MPL-2.0 */
//
// A store that is at work in a thread of its own, as in a process of its own: for tests that look at one store at a time while another serves it.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "vtx/driver/store.hpp"

namespace vtx::test {

/// Confined to one thread, as every Store; the one inside to its own.
class ThreadedStore final : public driver::Store {
 public:
  /// @param revives  begins a new session by itself as soon as one is lost, which nobody is told
  explicit ThreadedStore(std::unique_ptr<driver::Store> store, bool revives = false);
  ~ThreadedStore() override;
  ThreadedStore(const ThreadedStore&) = delete;
  ThreadedStore& operator=(const ThreadedStore&) = delete;

  Status start(const driver::Endpoint& endpoint, bool create) override;
  void submit(driver::u64 ticket, driver::Operation operation) override;
  void poll(std::vector<driver::Completion>& out) override;
  int fd() const override { return told_; }
  driver::Ms next_poll() const override { return driver::Ms::max(); }
  void stop() override;

 private:
  void run();
  void look();
  void post(std::function<void()> task);
  void call(const std::function<void()>& task);

  const std::unique_ptr<driver::Store> store_;
  const bool revives_;
  driver::Endpoint endpoint_;
  int asked_ = -1, told_ = -1;  // eventfd
  std::mutex mutex_;
  // Guarded by mutex_.
  std::deque<std::function<void()>> tasks_;
  std::vector<driver::Completion> news_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace vtx::test
