/* SPDX-License-Identifier: MPL-2.0 */
//
// What this process remembers of a store while it has no session with it: by that a store shows that it went back in time (docs/decisions/0002-epochs.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace vtx::postgres {

/// A store as one saw it. Every transaction moves its mark.
struct Life {
  std::array<std::byte, 16> id{};
  std::int64_t epoch = 0;
  std::array<std::byte, 16> life{};
  std::int64_t mark = 0;    ///< the highest seen
  std::int64_t synced = 0;  ///< the highest that was on disk
  std::string server;       ///< the run of the server that `mark` is of
};

/// What is remembered of the store behind this place and schema; nothing: a Life with epoch 0. Thread-safe.
Life remembered(const std::string& place);
/// Remembers it, unless more is known already. Thread-safe.
void remember(const std::string& place, const Life& life);

}  // namespace vtx::postgres
