/* SPDX-License-Identifier: MPL-2.0 */
//
// A SQLite database as a Store: gathers what is submitted and does it in one transaction a poll, in turn with the other processes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "database.hpp"
#include "doorbell.hpp"
#include "ledger.hpp"
#include "side_file.hpp"
#include "vtx/driver/store.hpp"
#include "watch.hpp"

namespace vtx::sqlite {

/// The clock gives stored, due and expires; waiting inside the driver goes by it too. Outlives the store.
class SqliteStore final : public driver::Store {
 public:
  explicit SqliteStore(const driver::Clock& clock = driver::system_clock());
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  Status start(const driver::Endpoint& endpoint, bool create) override;
  void submit(u64 ticket, driver::Operation operation) override;
  void poll(std::vector<Completion>& out) override;
  int fd() const override { return epoll_; }
  Ms next_poll() const override;
  void stop() override;

 private:
  enum class State { closed, opening, live };
  /// What was seen by who waits for more.
  struct Waiter {
    Seq head = 0;               ///< of a stream
    driver::u32 changes = 0;    ///< as the side file counts them
    std::int64_t due = kNever;  ///< the time at which it will ask again anyway
  };
  struct Pending {
    u64 ticket;
    driver::Operation operation;
  };

  // open.cpp
  Status open(const driver::Endpoint& endpoint, bool create);
  Status open_file(const driver::Endpoint& endpoint, bool create);
  Status check_schema();
  Status finish_open();
  void migrate();
  void begin_session(bool went_back);
  // epoch.cpp
  /// Which database this is, and how far.
  struct Life {
    std::string id;    ///< empty: none is known
    std::string name;  ///< of this epoch of it
    u64 epoch = 0;
    u64 mark = 0;
  };
  Life read_life();
  Status check_epoch();
  bool begin_epoch_if_it_went_back();
  void remember_life();
  // store.cpp
  Status check_current();
  void run_queue();
  std::size_t take_reads_ahead();
  void run_readers(std::size_t count);
  void read(std::span<const Pending> reads, std::vector<Completion>& answers);
  void transact();
  bool begin_transaction(std::span<const Pending> operations);
  void take_done(std::size_t count);
  void give_up_new_holders();
  Completion apply(const Pending& pending);
  void claim(const driver::ClaimNext& next, Completion& out);
  void fail_transaction(const SqliteError& error, bool committing);
  void end_session(Status why);
  void close();
  // waiting.cpp
  void notice_events();
  void look_for_commits(driver::Steady now);
  Status check_place();
  void look(driver::Steady now, bool safety);
  void listen(int fd, bool on);
  void listen_to_watch();
  void wait_for(Key key, const Completion& answer);
  std::vector<Key> waiting_keys() const;
  void arm_for_the_rest();
  void tell_who_is_over(bool all);
  void tell_who_is_due();
  bool is_over(Key key, const Waiter& waiter);
  void on_rung();
  void tell_changed();
  void tell_changed(const std::vector<Key>& keys);
  std::vector<Key> keys_of_all();
  void ring(const std::vector<Id>& groups, const std::vector<Key>& all);
  void ring_one(Key key);
  void apply(const driver::StopWaiting& stop, Completion& out);
  // holders.cpp
  void apply(const driver::Beat& beat, Completion& out);
  void apply(const driver::TakeOver& take, Completion& out);
  void apply(const driver::Hold& hold, Completion& out);
  void apply(const driver::Steer& steer, Completion& out);
  void answer_beats();
  void list_holders(Id except, Completion& out);
  bool is_dead(Id holder);
  void forget_dead_holders();
  // check.cpp
  void apply(const driver::Check& check, Completion& out);
  driver::Finding abandoned_claims();

  const driver::Clock& clock_;
  int epoll_;
  State state_ = State::closed;
  std::string path_;  // as SQLite resolved it
  Life life_;         // of the newest session
  Database database_;
  Ledger ledger_{database_};
  std::unique_ptr<SideFile> side_;
  std::unique_ptr<driver::FileLock> lock_;
  std::unique_ptr<Doorbell> bell_;
  Watch watch_;
  driver::u32 slot_ = 0;
  std::int64_t schema_seen_ = -1;      // data_version when schema and epoch were last checked
  std::int64_t epoch_seen_ = -1;       // and the epoch
  std::int64_t change_seen_ = -1;      // data_version when foreign commits were last looked for
  std::int64_t checked_version_ = -1;  // and when it was known that all still have to wait
  u64 commits_seen_ = 0;
  int schema_ = 0;          // as found in the database
  bool listening_ = false;  // to the watch
  u64 inode_ = 0;

  std::vector<Pending> queue_;
  std::size_t singly_ =
      0;  // one of so many at the front fails the transaction for all: each has its own, to find which
  std::vector<Completion> done_;
  std::optional<driver::Steady> retry_at_;  // somebody who does not queue with us held the database
  bool waits_for_lock_ = false;
  bool doubt_ = false;                 // the session ended in COMMIT
  std::vector<Id> next_in_line_;       // groups of which a claim left some for another
  std::map<Id, driver::u32> holders_;  // ours, and their slots
  std::vector<Id> new_holders_;        // of these, not yet committed
  std::map<Key, Waiter> waiting_;      // what had nothing
};

}  // namespace vtx::sqlite
