/* SPDX-License-Identifier: MPL-2.0 */
//
// A RocksDB directory as a Store: gathers what is submitted and does it in one write a poll.
#pragma once

#include "database.hpp"
#include "vtx/driver/store.hpp"

namespace vtx::rocks {

/// The clock gives stored, due and expires. Outlives the store.
class RocksStore final : public driver::Store {
 public:
  explicit RocksStore(const driver::Clock& clock = driver::system_clock());
  ~RocksStore() override;
  RocksStore(const RocksStore&) = delete;
  RocksStore& operator=(const RocksStore&) = delete;

  Status start(const driver::Endpoint& endpoint, bool create) override;
  void submit(u64 ticket, driver::Operation operation) override;
  void poll(std::vector<Completion>& out) override;
  int fd() const override { return fd_; }
  Ms next_poll() const override;
  void stop() override;

 private:
  void refuse_pending();
  void event(driver::Event what, Status status = {});

  const driver::Clock& clock_;
  int fd_;
  std::shared_ptr<Database>
      database_;  // shared: with the other stores of this process on its directory; null without a session
  Session session_;
  std::vector<Pending> pending_;
  std::vector<Completion> done_;
};

/// Of the endpoint's own options. A failure says which one is wrong.
Result<Tuning> tuning_of(const driver::Endpoint& endpoint);

}  // namespace vtx::rocks
