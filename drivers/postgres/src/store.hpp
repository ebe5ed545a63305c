/* SPDX-License-Identifier: MPL-2.0 */
//
// A schema of a Postgres database as a store. Each operation is one call of one function there (drivers/postgres/sql), a transaction of its own. Two
// connections: one for what changes messages and claims, one for what must go on while that waits for a lock or a disk: beats, reading, waiting.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "answers.hpp"
#include "connection.hpp"
#include "memory.hpp"
#include "requests.hpp"
#include "vtx/driver/store.hpp"
#include "waits.hpp"

namespace vtx::postgres {

class PostgresStore final : public driver::Store {
 public:
  explicit PostgresStore(const driver::Clock& clock = driver::system_clock());
  ~PostgresStore() override;

  Status start(const driver::Endpoint& endpoint, bool create) override;
  void submit(driver::u64 ticket, driver::Operation operation) override;
  void poll(std::vector<driver::Completion>& out) override;
  int fd() const override { return epoll_; }
  driver::Ms next_poll() const override;
  void stop() override;

 private:
  enum class State : std::uint8_t { closed, opening, live };
  /// What a reply is to.
  enum class Errand : std::uint8_t {
    operation,
    look,
    migrate,
    begin,
    listen,
    arm,
    disarm,
    look_for,
    fetch_sent,
    maintain,
    end_holders,
    settle_again
  };
  struct Sent {
    Errand errand = Errand::operation;
    driver::u64 ticket = 0;
    driver::Operation operation;
    bool durable = false;
    driver::u64 covers = 0;  ///< durable: what `unsure_` had when it was sent is on disk with it
  };
  /// A settlement that a crash of the server may undo.
  struct Unsure {
    driver::u64 number = 0;
    driver::Steady until;
    std::vector<driver::Settle> settles;
  };
  struct Lane {
    explicit Lane(const driver::Clock& clock) : connection(clock) {}
    Connection connection;
    std::deque<std::pair<driver::u64, Request>> held;  ///< behind a pooler: to go when the one before is answered
    int watched = -1;                                  ///< in the epoll set
    std::uint32_t events = 0;
  };

  // --- opening (open.cpp)
  void go_on_opening();
  void send_look();
  void on_look(const Result& result);
  void on_begin(const Result& result);
  void become_live();

  // --- statements (store.cpp)
  Lane& lane_of(const driver::Operation& operation);
  void send(Lane& lane, Sent sent, Request request);
  void run(driver::u64 ticket, driver::Operation operation);
  void send_held(Lane& lane);
  void poll(Lane& lane);
  void watch(Lane& lane);
  void take_replies(Lane& lane);
  void on_reply(Reply reply);
  void on_answer(Sent sent, const Reply& reply);
  void after(const Sent& sent, const Result& result, const driver::Completion& out);
  void end_session(Status why);
  void close();
  void lose(const Sent& sent);
  static bool may_fail(Errand errand);
  static bool is_on_disk(const Sent& sent);
  void note_settled(const Sent& sent);
  void settle_again();

  // --- waiting (waiting.cpp)
  void on_notification(const Notification& notification);
  void wait_for(Key key, const Seen& seen);
  void tell(const std::vector<Key>& keys);
  void arm_waits();
  void on_armed(const Result& result);
  void look_if_due();
  void on_looked(const Result& result);

  const driver::Clock& clock_;
  const int epoll_;
  State state_ = State::closed;
  bool create_ = false;
  Conninfo info_;
  Life life_;
  Lane work_, side_;
  std::map<driver::u64, Sent> sent_;
  driver::u64 last_id_ = 0;
  bool unflushed_ = false;
  std::vector<std::pair<driver::u64, driver::Operation>> early_;  ///< submitted while opening
  std::vector<driver::Completion> done_;
  std::set<driver::Id> holders_;
  std::map<std::string, std::int32_t> turns_;  ///< of tending a queue's mailboxes
  driver::Steady maintain_at_{};
  bool migrated_ = false;
  bool went_back_ = false;

  // --- made again when another run of the server begins
  std::deque<Unsure> unsure_;
  driver::u64 unsure_count_ = 0;
  bool settle_again_ = false;

  Waits waits_;
  bool listening_ = false;
  bool arming_ = false;
  driver::Steady arm_at_{};
  driver::Ms arm_each_{2};
  Key looked_to_;  ///< behind a pooler: who comes after it is looked for next
  bool looking_ = false;
  driver::Steady look_at_{};
  driver::Ms look_each_{};
};

}  // namespace vtx::postgres
