/* SPDX-License-Identifier: MPL-2.0 */
#include "memory.hpp"

#include <algorithm>
#include <map>
#include <mutex>

namespace vtx::postgres {
namespace {

struct Memory {
  std::mutex mutex;
  std::map<std::string, Life> lives;  // guarded by mutex
};

Memory& memory() {
  static auto* const kept = new Memory;  // drivers may end after static objects do
  return *kept;
}

}  // namespace

Life remembered(const std::string& place) {
  auto& [mutex, lives] = memory();
  const std::lock_guard lock(mutex);
  const auto found = lives.find(place);
  return found == lives.end() ? Life() : found->second;
}

void remember(const std::string& place, const Life& life) {
  auto& [mutex, lives] = memory();
  const std::lock_guard lock(mutex);
  Life& known = lives[place];
  const bool same = known.id == life.id && known.epoch == life.epoch && known.life == life.life;
  const std::int64_t synced = same ? std::max(known.synced, life.synced) : life.synced;
  if (!same || known.server != life.server || known.mark < life.mark) known = life;
  known.synced = synced;
}

}  // namespace vtx::postgres
