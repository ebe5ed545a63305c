/* SPDX-License-Identifier: MPL-2.0 */
//
// For databases that only one process can have open: who opens one first owns it, and every other store, of this process or another, attaches
// to the owner through a Unix socket beside the database. When the owner ends, however it ends, one of the others takes over by itself.
// A driver brings the database and sessions on it; sockets, handshakes, take-over and whose holders are whose are core's.
// docs/decisions/0006-one-owner.md tells why it is as it is.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "vtx/driver/store.hpp"
#include "vtx/export.h"

namespace vtx::driver {

/// A database that this process has to itself, from its opening to its destruction, against all other processes and against
/// whoever opens it a second time in this one. Confined, with all its sessions, to one driver thread.
class OwnedDatabase {
 public:
  /// Closes it and lets others have it. Its sessions are destroyed before.
  virtual ~OwnedDatabase() = default;

  /// A new session, not started: the owner's own, or that of one who is attached. It is a Store in every respect but one: nobody's
  /// holders end with its stop() or its destruction, only with end_holders(). A holder is not its session's; it may come back in another one.
  ///
  /// Core submits what has come from all sides before it polls the first session, so a database may carry out the pending operations of all
  /// sessions as one transaction in whichever poll() comes first. The others then have something to say, which their fd() shows.
  ///
  /// When the owner's own session ends with `lost`, core ends all the others, destroys the database and opens it again: so a fault
  /// that only opening anew can cure is answered by `lost` everywhere. `lost` of another session ends that one only.
  /// @param process  whose holders they will be that are made there (process_name.hpp), to be kept with each: who opens the database next tells by it which
  ///                 of them have ended, and need not wait for their leases. Empty: nobody knows.
  virtual std::unique_ptr<Store> session(const std::string& process) = 0;

  /// These holders have ended, by a clean stop or because their process is gone: Beat reports them dead from now on, their names
  /// are free, as after Store::stop(). Unknown ones, and those that ended before, are passed over. Need not be on disk before the next sync.
  virtual void end_holders(std::span<const Id> holders) = 0;
};

/// Opens the database at an endpoint for this process alone; in the driver thread, never waiting for another's lock.
/// @param create  make the database when there is none; without it not_found
/// Fails with busy when another process, or another one of this process, has it: then the store attaches to that one.
/// Anything else is what Store::start() answers; what may pass (is_passing(), and native with EMFILE or ENFILE) becomes `lost`.
using OpenOwned = std::function<Result<std::unique_ptr<OwnedDatabase>>(const Endpoint& endpoint, bool create)>;

/// A Store on the database that Endpoint::path names, a directory or file that several spellings may lead to, with all promises of the
/// contract, whoever owns it. What becomes of a session:
///
/// - The owner stops or dies: the others' sessions are lost, their commits in doubt. Their next start() tries to own the database first.
/// - One who is attached stops: its holders end at once. It dies: likewise, as soon as the owner's kernel says so. Its connection is cut: its
///   holders stay until they beat in another session or their leases are over.
/// - The owner dies: whoever takes over finds out which processes are gone whose holders are in the database; leases decide about the others.
///
/// The socket is called PATH-vtx.sock and is for this user alone. Removed by somebody, it is there again after a second. /proc must be mounted.
VTX_EXPORT std::unique_ptr<Store> make_shared_store(OpenOwned open);

}  // namespace vtx::driver
