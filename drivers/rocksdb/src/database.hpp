/* SPDX-License-Identifier: MPL-2.0 */
//
// An open database, shared by all the stores of this process that name its directory. Each is a session: it has its own operations, holders and
// waiting, and knows nothing of the others. A session that is not a store of this process would be no different.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "ledger.hpp"
#include "mark_file.hpp"
#include "place.hpp"

namespace vtx::rocks {

struct Pending {
  u64 ticket;
  driver::Operation operation;
};

/// Thread-safe.
class Database {
 public:
  /// The one that is open in this process, or a new one.
  /// @param tuning  of who comes first
  static Result<std::shared_ptr<Database>> open(const std::string& path, bool create, const Tuning& tuning,
                                                const driver::Clock& clock);
  /// To be used instead of reset(): closing must not meet the opening by another thread.
  static void let_go(std::shared_ptr<Database>& database);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// @return the epoch's name. Fails with lost when the database died meanwhile.
  Result<std::string> attach(Session& session);
  /// Its holders end. Idempotent.
  void detach(Session& session);
  /// Runs the operations as one write, and takes them all away; their answers and news for the session are added to `out`.
  /// @return why the session is over, if it is; then the answers say the same of what was not done
  Status serve(Session& session, std::vector<Pending>& operations, std::vector<Completion>& out);

 private:
  Database(Place place, const driver::Clock& clock) : place_(std::move(place)), clock_(clock) {}
  Status start(bool create, const Tuning& tuning);
  bool begin_epoch_if_it_went_back();
  void found();
  void flush(bool sync);
  Completion run(const driver::Operation& operation);
  void run_all(Session& session, const std::vector<Pending>& operations, std::vector<Completion>& answers);
  void die(Status why);

  Place place_;
  const driver::Clock& clock_;
  std::mutex mutex_;
  // Guarded by mutex_.
  Status dead_;  // once not ok, nothing below is used any more
  MarkFile marks_;
  bool went_back_ = false;  // found out at the start; told to whoever comes first
  driver::Steady looked_{};
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<Books> books_;
  std::unique_ptr<MessageLog> log_;
  std::unique_ptr<Waiting> waiting_;
  std::unique_ptr<Ledger> ledger_;
};

}  // namespace vtx::rocks
