/* SPDX-License-Identifier: MPL-2.0 */
//
// Drives one Store as an engine would, but one answer at a time: submits, waits on the store's descriptor, returns
// the completion. Whatever does not come within a generous deadline is a failure of the test.
#pragma once

#include <chrono>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "vtx/driver/store.hpp"

namespace vtx::test {

using driver::Completion;
using driver::Id;
using driver::Ms;
using driver::Odd;
using driver::Seq;
using driver::Settle;
using driver::u32;
using driver::u64;
using driver::Verdict;

inline constexpr Ms kGenerous{30'000};

/// Bodies of the messages of an answer, and their sequences.
std::vector<std::string> texts(const Completion& answer);
std::vector<Seq> seqs(const Completion& answer);
/// Texts "first" … "last" as decimal numbers: the usual bodies of a test.
std::vector<std::string> numbers(u64 first, u64 last);
/// Bitmaps of a settle: the given offsets; the first `count` ones; all of a claim.
std::vector<u64> bits(std::initializer_list<u32> offsets);
std::vector<u64> first_bits(u64 count);
std::vector<u64> all_of(const driver::Claim& claim);
/// Settles the whole of what was claimed as acknowledged, or with `verdict`. That nothing was claimed fails the test.
Settle settle_all(const Completion& claimed);
Settle settle_all(const Completion& claimed, Verdict verdict, std::string reason = {}, Ms delay = {});

/// One thread at a time.
class StoreSession {
 public:
  /// Starts the store; its first event has come when this returns.
  StoreSession(std::unique_ptr<driver::Store> store, driver::Endpoint endpoint, bool create = true);
  ~StoreSession();

  void start();
  void stop() { store_->stop(); }
  driver::Store& store() { return *store_; }
  bool opened() const { return opened_; }
  /// Of the newest `opened`.
  const std::string& epoch() const { return epoch_; }
  bool went_back() const { return went_back_; }
  /// True when the session ends within the deadline, with nothing asked of it.
  bool wait_lost();

  // --- operations
  u64 submit(driver::Operation operation);
  Completion wait(u64 ticket);
  /// Whether the answer is there by now. Does not wait.
  bool answered(u64 ticket);
  /// From now on run() opens a session that was lost again, and repeats what was to be done.
  void come_back() { comes_back_ = true; }
  /// Submits and waits; the answer may be a failure.
  Completion ask(driver::Operation operation) { return wait(submit(std::move(operation))); }
  /// Likewise, and a failure fails the test.
  Completion run(driver::Operation operation);
  /// True when `changed` came for the queue (or for anywhere) since the last call, or comes within `patience`.
  bool wait_changed(const std::string& queue, Ms patience = kGenerous);

  // --- shorthands; failures fail the test
  Id queue(const std::string& name, const std::string& retain = "consumed");
  Id stream(Id queue, int priority = 0);
  Id group(Id queue, const std::string& name = "g");
  Id holder(Ms lease = Ms{5000});
  /// Appends one message a text, as the session's next commit. @return the stream's head
  Seq append(Id stream, const std::vector<std::string>& bodies, bool sync = false);
  Completion claim(Id group, Id holder, u32 messages = driver::kMaxBatch, bool alone = false);
  /// Commits settles. @return indexes of the fenced ones
  std::vector<u32> settle(std::vector<Settle> settles);
  /// Claims and acknowledges until nothing comes. @return the bodies in order
  std::vector<std::string> drain(Id group, Id holder);
  /// Retires until no work is left. @return how many messages
  u64 tend(const std::string& queue);
  driver::QueueStats stats(const std::string& queue);
  /// What is retained.
  std::vector<std::string> read(Id stream, Seq from = 1);
  /// A commit that counts as this session's next.
  driver::Commit next_commit();

 private:
  void pump(std::chrono::steady_clock::time_point deadline);

  std::unique_ptr<driver::Store> store_;
  driver::Endpoint endpoint_;
  bool create_;
  bool opened_ = false;
  bool lost_ = false;
  bool comes_back_ = false;
  std::string epoch_;
  bool went_back_ = false;
  u64 last_ticket_ = 0;
  std::map<u64, Completion> answers_;
  std::set<std::string> changed_;
  std::array<std::byte, 16> producer_{};
  u64 counter_ = 0;
};

}  // namespace vtx::test
