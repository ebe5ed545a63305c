/* SPDX-License-Identifier: MPL-2.0 */
//
// A session on the database as a Store.
#pragma once

#include "database.hpp"
#include "vtx/driver/store.hpp"

namespace vtx::rocks {

/// As OwnedDatabase::session() promises: no holder ends with it.
class SessionStore final : public driver::Store {
 public:
  /// @param database  outlives it
  SessionStore(Database& database, const std::string& process);
  ~SessionStore() override;
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;

  Status start(const driver::Endpoint& endpoint, bool create) override;
  void submit(u64 ticket, driver::Operation operation) override;
  void poll(std::vector<Completion>& out) override;
  int fd() const override { return fd_; }
  Ms next_poll() const override;
  void stop() override;

 private:
  void refuse_pending();
  void event(driver::Event what, Status status = {});

  Database& database_;
  int fd_;
  bool attached_ = false;
  Session session_;
};

/// Of the endpoint's own options. A failure says which one is wrong.
Result<Tuning> tuning_of(const driver::Endpoint& endpoint);

}  // namespace vtx::rocks
