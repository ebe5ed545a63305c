/* SPDX-License-Identifier: MPL-2.0 */
#include "side_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace vtx::sqlite {
namespace {

using driver::Id;
using driver::Ms;
using driver::u32;
using driver::u64;

constexpr char kMagic[8] = {'V', 'T', 'X', 'S', 'I', 'D', 'E', '1'};
constexpr std::size_t kHeaderBytes = 4096;
constexpr off_t kSlotLocks = driver::LockFile::kFairLock + 16;
constexpr u32 kTooMany = ~u32{0};  // keys to name
// What a slot's `listening` says.
constexpr u32 kDeaf = 0;
constexpr u32 kArmed = 1;
constexpr u32 kRung = 2;
constexpr std::size_t kChanges = 960;
constexpr std::size_t kSieve = 11;

off_t lock_of(u32 slot) { return kSlotLocks + slot; }

template <class T>
std::atomic_ref<T> shared(T& value) {
  return std::atomic_ref<T>(value);
}

/// Keys are counted up, and their kinds stand in the highest bits: the finalizer of SplitMix64 spreads them.
u64 hash_of(Key key) {
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9;
  key = (key ^ (key >> 27)) * 0x94d049bb133111eb;
  return key ^ (key >> 31);
}

/// Gives the file all its blocks: touching a page of a sparse one is a SIGBUS when the disk is full. Only grows it, since a shorter file would
/// be a SIGBUS for who has it mapped.
bool reserve(int fd, off_t size) {
  int result = 0;
  do result = fallocate(fd, 0, 0, size);
  while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  if (errno != EOPNOTSUPP) return false;
  struct stat now {};
  return fstat(fd, &now) == 0 && (now.st_size >= size || ftruncate(fd, size) == 0);
}

}  // namespace

struct SideFile::Header {
  char magic[8]{};
  u32 used = 0;
  u32 rotation = 0;
  u64 commits = 0;
  Memory memory;
  u64 spare[26]{};
  u32 changes[kChanges]{};
};

struct SideFile::Slot {
  u64 holder, beats, lease_ms, doorbell;
  u32 listening, keys;
  Key key[kKeys];
  u64 sieve[kSieve];

  void sift(Key wanted) {
    const u64 bit = hash_of(wanted) % (kSieve * 64);
    shared(sieve[bit / 64]).fetch_or(u64{1} << (bit % 64));
  }
  bool names(Key wanted) {
    const u32 count = shared(keys).load();
    bool found = false;
    for (u32 i = 0; !found && i < std::min(count, kKeys); ++i) found = shared(key[i]).load() == wanted;
    return found && count <= kKeys;
  }
  bool may_wait_for(Key wanted) {
    const u64 bit = hash_of(wanted) % (kSieve * 64);
    return shared(keys).load() > kKeys && (shared(sieve[bit / 64]).load() >> (bit % 64) & 1) != 0;
  }
};

Result<std::unique_ptr<SideFile>> SideFile::open(const std::string& database) {
  static_assert(sizeof(Slot) == 256 && sizeof(Header) == kHeaderBytes && offsetof(Header, changes) == 256);
  constexpr std::size_t kSize = kHeaderBytes + kSlots * sizeof(Slot);
  const std::string path = database + "-vtx";
  struct stat owner {};
  if (stat(database.c_str(), &owner) != 0) return fail(Code::lost, database + " has gone", errno);
  auto file = driver::LockFile::open(path, {owner.st_uid, owner.st_gid, owner.st_mode & 0666});
  if (!file) return tl::unexpected(file.error());
  const int fd = (*file)->fd();
  if (!reserve(fd, static_cast<off_t>(kSize)))
    return fail(errno == ENOSPC || errno == EDQUOT ? Code::no_space : Code::lost, path + ": " + std::strerror(errno),
                errno);
  void* map = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return fail(Code::lost, path + ": " + std::strerror(errno), errno);
  std::unique_ptr<SideFile> side(new SideFile(std::move(*file), map));
  const char none[sizeof kMagic] = {};
  if (std::memcmp(side->header().magic, none, sizeof none) == 0)
    std::memcpy(side->header().magic, kMagic, sizeof kMagic);
  if (std::memcmp(side->header().magic, kMagic, sizeof kMagic) != 0)
    return fail(Code::newer_schema,
                path + " was made by another version of VTX; use that version, or stop all and remove the file");
  return side;
}

SideFile::~SideFile() { munmap(map_, kHeaderBytes + kSlots * sizeof(Slot)); }

SideFile::Header& SideFile::header() const { return *static_cast<Header*>(map_); }

SideFile::Slot& SideFile::slot(u32 number) const {
  return reinterpret_cast<Slot*>(static_cast<std::byte*>(map_) + kHeaderBytes)[number];
}

u32 SideFile::used() const { return std::min(shared(header().used).load(), kSlots); }

std::optional<u32> SideFile::take_slot() {
  for (u32 number = 0; number < kSlots; ++number) {
    if (!file_->take(lock_of(number))) continue;
    slot(number) = Slot{};
    u32 used = shared(header().used).load();
    while (used <= number && !shared(header().used).compare_exchange_weak(used, number + 1)) {
    }
    return number;
  }
  return std::nullopt;
}

void SideFile::free_slot(u32 number) {
  shared(slot(number).listening).store(kDeaf);
  shared(slot(number).holder).store(0);
  file_->release(lock_of(number));
}

void SideFile::begin_holder(u32 number, Id holder, Ms lease) {
  auto& mine = slot(number);
  shared(mine.lease_ms).store(static_cast<u64>(lease.count()));
  shared(mine.beats).store(1);
  shared(mine.holder).store(holder);
}

void SideFile::beat(u32 number, Ms lease) {
  // Consumers come and go: the shortest lease among them now is what others go by.
  shared(slot(number).lease_ms).store(static_cast<u64>(lease.count()));
  shared(slot(number).beats).fetch_add(1);
}

driver::HolderBeat SideFile::look(u32 number, Id holder) const {
  driver::HolderBeat beat{holder, 1, Ms(0), true};  // a count that a beat can have
  if (number >= kSlots || shared(slot(number).holder).load() != holder || !file_->is_taken(lock_of(number)))
    return beat;
  beat.dead = false;
  beat.count = shared(slot(number).beats).load();
  beat.lease = Ms(std::min<u64>(shared(slot(number).lease_ms).load(), 86'400'000));
  return beat;
}

void SideFile::begin_listener(u32 number, u64 doorbell) { shared(slot(number).doorbell).store(doorbell); }

void SideFile::arm_only(u32 number, const std::vector<Key>& keys) {
  auto& mine = slot(number);
  shared(mine.listening).store(keys.empty() ? kDeaf : kRung);
  for (u64& word : mine.sieve) shared(word).store(0);
  u32 count = 0;
  for (const Key key : keys) {
    mine.sift(key);
    if (count < kKeys) shared(mine.key[count++]).store(key);
  }
  shared(mine.keys).store(keys.size() <= kKeys ? count : kTooMany);
  if (!keys.empty()) shared(mine.listening).store(kArmed);
}

void SideFile::arm(u32 number, Key key) {
  auto& mine = slot(number);
  mine.sift(key);
  const u32 count = shared(mine.keys).load();
  if (count <= kKeys && !mine.names(key)) {
    if (count < kKeys) shared(mine.key[count]).store(key);
    shared(mine.keys).store(count < kKeys ? count + 1 : kTooMany);
  }
  shared(mine.listening).store(kArmed);
}

bool SideFile::is_armed(u32 number) const { return shared(slot(number).listening).load() == kArmed; }

bool SideFile::is_anyone_waiting() const {
  for (u32 number = 0, end = used(); number < end; ++number)
    if (shared(slot(number).listening).load(std::memory_order_relaxed) != kDeaf) return true;
  return false;
}

void SideFile::note_change(Key key) { shared(header().changes[hash_of(key) % kChanges]).fetch_add(1); }

u32 SideFile::changes(Key key) const { return shared(header().changes[hash_of(key) % kChanges]).load(); }

void SideFile::count_commit() { shared(header().commits).fetch_add(1); }

u64 SideFile::commits() const { return shared(header().commits).load(); }

/// FNV-1a; 0 is none.
u64 SideFile::name_of(std::string_view store_id) {
  u64 hash = 0xcbf29ce484222325;
  for (const char c : store_id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash | 1;
}

SideFile::Memory SideFile::remembered() const { return header().memory; }

void SideFile::remember(const Memory& memory) { header().memory = memory; }

/// Answers the slot's doorbell when it is armed; 0 otherwise.
u64 SideFile::disarm(Slot& slot) {
  u32 armed = kArmed;
  return shared(slot.listening).compare_exchange_strong(armed, kRung) ? shared(slot.doorbell).load() : 0;
}

u64 SideFile::next_listener(Key key, u32 except) {
  const u32 end = used();
  if (end == 0) return 0;
  const u32 start = shared(header().rotation).fetch_add(1);
  for (u32 i = 0; i < end; ++i) {
    const u32 number = (start + i) % end;
    if (number == except || !slot(number).names(key)) continue;
    if (const u64 doorbell = disarm(slot(number)); doorbell != 0) return doorbell;
  }
  return 0;
}

std::vector<u64> SideFile::likely_listeners(Key key, u32 except) {
  std::vector<u64> doorbells;
  for (u32 number = 0, end = used(); number < end; ++number) {
    if (number == except || !slot(number).may_wait_for(key)) continue;
    if (const u64 doorbell = disarm(slot(number)); doorbell != 0) doorbells.push_back(doorbell);
  }
  return doorbells;
}

std::vector<u64> SideFile::all_listeners(Key key, u32 except) {
  std::vector<u64> doorbells;
  for (u32 number = 0, end = used(); number < end; ++number) {
    if (number == except) continue;
    if (!slot(number).names(key) && !slot(number).may_wait_for(key)) continue;
    if (const u64 doorbell = disarm(slot(number)); doorbell != 0) doorbells.push_back(doorbell);
  }
  return doorbells;
}

}  // namespace vtx::sqlite
