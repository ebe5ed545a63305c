/* SPDX-License-Identifier: MPL-2.0 */
//
// The interface a store driver implements: one database as a wire. Everything else (batching, credit,
// redelivery policy, timers, retention policy, patterns) is the engine's, in core. docs/decisions/0001-store-interface.md tells why it is as it is.
#pragma once

#include <vector>

#include "vtx/driver/endpoint.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx::driver {

/// One database. Confined to its driver thread: every method is called there, none concurrently.
///
/// Sessions: start() → completion `opened` → … → completion `lost` (or stop()) → start() again after the
/// engine's backoff. A store never reconnects by itself.
///
/// Durability: a Commit with `sync` is on disk before its completion says ok. Everything else survives the death
/// of this process, not of the machine, and rides on the next sync.
///
/// Epochs: a store may go back in time, when a backup of it is restored under programs at work or at rest. A driver finds that out by what it
/// remembers outside the database (a mark that every transaction moves), before it does anything else, and begins a new epoch in one transaction: all
/// claims end as if their holders had died, all holders end, and no number of a claim or holder that was ever given out is given out again.
/// A session belongs to one epoch: its operations are answered lost as soon as another one has begun, then comes `lost`, and the next
/// `opened` tells the new epoch. So nothing that was said in one is taken for something of another. A producer's counter stays as the
/// store has it: what is repeated is recognised if the restored store has it, and stored if it has not.
///
/// Answers may overtake one another: what waits for a disk or a server does not hold up what need not. What was done was done in the order of submission.
class Store {
 public:
  virtual ~Store() = default;

  /// Begins a session. Never waits for a network. Success is the completion `opened`, later.
  /// @param endpoint  where; outlives the store
  /// @param create    make the database when there is none; without it not_found
  /// Fails only with what waiting cannot cure: not_found (no such directory), denied, corrupt (not a database),
  /// newer_schema, invalid, unsupported (a network file system). What may pass (locked, server away) is ok here and `lost` later.
  virtual Status start(const Endpoint& endpoint, bool create) = 0;

  /// Starts `operation`. Never waits for a network or a lock; an embedded store may finish it here or gather it
  /// with others for one transaction at the next poll().
  /// Of one producer at most one counted Commit is out at a time: with two, the later one's watermark would hide that the earlier failed.
  /// @param ticket     any number but 0, given back in the answer
  /// @param operation  its message bodies and properties are borrowed until the answer came out of poll()
  virtual void submit(u64 ticket, Operation operation) = 0;

  /// Appends what has been completed since the last call to `out`. Never blocks on a network or a lock; an embedded store may do
  /// the disk work of what was submitted here.
  virtual void poll(std::vector<Completion>& out) = 0;

  /// A descriptor that is readable whenever poll() has something to do. The same for the store's whole life; level-triggered.
  virtual int fd() const = 0;

  /// poll() must be called after so long even if fd() stays silent; Ms::max() never.
  virtual Ms next_poll() const = 0;

  /// Ends the session: holders of this store end (their claims can be taken over at once), pending operations are answered lost or in_doubt
  /// by the next poll(). Idempotent.
  virtual void stop() = 0;
};

}  // namespace vtx::driver
