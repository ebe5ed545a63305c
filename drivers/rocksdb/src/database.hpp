/* SPDX-License-Identifier: MPL-2.0 */
//
// An open database, which this process has to itself. All who use it are sessions on it, whether they are links of this process or of another one that is
// attached through core's shared store: each has its own operations and its own waiting, and knows nothing of the others.
#pragma once

#include <memory>
#include <vector>

#include "ledger.hpp"
#include "mark_file.hpp"
#include "place.hpp"
#include "syncer.hpp"
#include "vtx/driver/shared_store.hpp"

namespace vtx::rocks {

/// Confined, with all its sessions, to one driver thread.
class Database final : public driver::OwnedDatabase {
 public:
  /// @param clock  gives stored, due and expires; outlives the database
  /// Fails with busy when it is open, here or in another process.
  static Result<std::unique_ptr<Database>> open(const std::string& path, bool create, const Tuning& tuning,
                                                const driver::Clock& clock = driver::system_clock());
  ~Database() override;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  std::unique_ptr<driver::Store> session(const std::string& process) override;
  void end_holders(std::span<const Id> holders) override;

  // For the sessions.
  /// @return the epoch's name. Fails with lost when the database died meanwhile.
  Result<std::string> attach(Session& session);
  void detach(Session& session);
  /// Runs what was submitted in all sessions as one write. Answers and news are the sessions' then; all but the caller are woken for them.
  void serve(const Session& caller);

 private:
  Database(Place place, const driver::Clock& clock) : place_(std::move(place)), clock_(clock) {}
  Status start(bool create, const Tuning& tuning);
  bool begin_epoch_if_it_went_back();
  void found();
  void flush(bool sync);
  void remember_mark();
  Completion run(const driver::Operation& operation);
  void run_all(const std::vector<Session*>& sessions);
  void take_synced(const Session& caller);
  void answer(Session& session, const Session& caller);
  void doubt(Session& session, const Status& failure);
  void die(Status why);

  Place place_;
  const driver::Clock& clock_;
  Status dead_;  // once not ok, nothing below is used any more
  MarkFile marks_;
  u64 remembered_ = 0;      // the mark that is in there
  bool went_back_ = false;  // found out at the start; told to whoever comes first
  driver::Steady looked_{};
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<Books> books_;
  std::unique_ptr<MessageLog> log_;
  std::unique_ptr<Waiting> waiting_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Syncer> syncer_;
  std::size_t unsynced_bytes_ = 0;  // written since the last sync was asked for
  u64 synced_ = 0;                  // up to this number, as far as the sessions have been told
  Session* first_ = nullptr;        // whom the syncer wakes
};

}  // namespace vtx::rocks
