/* SPDX-License-Identifier: MPL-2.0 */
//
// The file DB-vtx: what processes tell each other without a commit, which would wake every watcher. Slots of fixed size, mapped by all; a byte lock
// per slot shows at once that its process has ended. Losing the file is harmless: holders count as dead and their messages come again.
//
//   0     "VTXSIDE1"  u32 slots used at most  u32 rotation  u64 commits  u64 store, epoch, mark
//   256   u32 changes[960]: of keys, by their hash
//   4096  slot 0, 256 bytes: u64 holder, beats, lease ms, doorbell; u32 listening, keys; u64 key[16], sieve[11]
//   4352  slot 1, ...
//
// Everything in it may have been written by anybody who can write the database, so values are bounded when read.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vtx/driver/file_lock.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx::sqlite {

/// What one can wait for, in one space of numbers: that a group can claim again, that a stream grows, that there is room for it to grow, that
/// a peer joins a queue.
using Key = driver::u64;
inline constexpr Key kStreamKey = Key{1} << 63;
inline constexpr Key kPeersKey = Key{1} << 62;
inline constexpr Key key_of_group(driver::Id group) { return group; }
inline constexpr Key key_of_stream(driver::Id stream) { return stream | kStreamKey; }
inline constexpr Key kRoomKey = Key{1} << 61;
inline constexpr Key key_of_peers(driver::Id queue) { return queue | kPeersKey; }
inline constexpr Key key_of_room(driver::Id stream) { return stream | kRoomKey; }
inline constexpr bool is_of_stream(Key key) { return (key & kStreamKey) != 0; }
inline constexpr bool is_of_peers(Key key) { return (key & kPeersKey) != 0; }
inline constexpr bool is_of_room(Key key) { return (key & kRoomKey) != 0; }
inline constexpr driver::Id id_of(Key key) { return key & ~(kStreamKey | kPeersKey | kRoomKey); }

class SideFile {
 public:
  static constexpr driver::u32 kSlots = 4096;
  static constexpr driver::u32 kKeys = 16;  ///< that a slot can name; of more it has a sieve

  /// Opens or makes the side file of a database, with the database's owner and permissions.
  static Result<std::unique_ptr<SideFile>> open(const std::string& database);
  ~SideFile();
  SideFile(const SideFile&) = delete;
  SideFile& operator=(const SideFile&) = delete;

  driver::LockFile& file() { return *file_; }

  /// Takes a free slot, one whose process has died included. Nothing when all are in use.
  std::optional<driver::u32> take_slot();
  void free_slot(driver::u32 slot);

  /// Makes the slot a holder's.
  void begin_holder(driver::u32 slot, driver::Id holder, driver::Ms lease);
  void beat(driver::u32 slot, driver::Ms lease);
  /// What a holder shows. Any slot number may be asked for.
  driver::HolderBeat look(driver::u32 slot, driver::Id holder) const;

  /// Makes the slot a listener's.
  void begin_listener(driver::u32 slot, driver::u64 doorbell);
  /// Asks for one ring, when one of `keys` comes, and for no other. Empty: for none. Only under VTX's lock, or before one looks for what may
  /// have come meanwhile: for a moment the slot is not armed.
  void arm_only(driver::u32 slot, const std::vector<Key>& keys);
  /// Asks for one when `key` comes too. Needs no lock: what the slot is armed for stays so throughout.
  void arm(driver::u32 slot, Key key);
  /// False once it has been rung.
  bool is_armed(driver::u32 slot) const;
  /// Armed, or rung and not yet armed anew.
  bool is_anyone_waiting() const;
  /// After the commit that changes it, and before those who wait for it are looked for.
  void note_change(Key key);
  /// Another number than before: it may have changed.
  driver::u32 changes(Key key) const;
  /// Before each commit of VTX: who sees a change of the database and of this knows that doorbells have been rung.
  void count_commit();
  driver::u64 commits() const;
  /// How far a database was seen to be: what no backup restores. With VTX's lock.
  struct Memory {
    driver::u64 store = 0;
    driver::u64 epoch = 0;
    driver::u64 mark = 0;
  };
  static driver::u64 name_of(std::string_view store_id);
  Memory remembered() const;
  void remember(const Memory& memory);
  /// The doorbell of one who waits for it, now disarmed; 0 none. Each in turn, but not the slot `except`, nor those with a sieve.
  driver::u64 next_listener(Key key, driver::u32 except);
  /// The doorbells of those, but not of `except`, whose sieve says that they may wait for it, now disarmed.
  std::vector<driver::u64> likely_listeners(Key key, driver::u32 except);
  /// The doorbells of all, but not of `except`, who may wait for it, now disarmed.
  std::vector<driver::u64> all_listeners(Key key, driver::u32 except);

 private:
  struct Slot;
  struct Header;
  SideFile(std::unique_ptr<driver::LockFile> file, void* map) : file_(std::move(file)), map_(map) {}
  Header& header() const;
  Slot& slot(driver::u32 number) const;
  driver::u32 used() const;
  static driver::u64 disarm(Slot& slot);

  std::unique_ptr<driver::LockFile> file_;
  void* map_;
};

}  // namespace vtx::sqlite
