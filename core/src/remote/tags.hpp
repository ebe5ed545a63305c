/* SPDX-License-Identifier: MPL-2.0 */
//
// The numbers that stand for enumerators and for kinds of operations on a connection. They are said here, each once and for good, and do not
// follow from any order in the headers; the compiler complains of an enumerator or an operation that has none.
#pragma once

#include <concepts>
#include <cstdint>

#include "vtx/driver/operations.hpp"

namespace vtx::remote {

using Tag = std::uint8_t;

inline constexpr Tag kNoTag = 0xff;

// No `default`: -Wswitch tells of what is missing.

constexpr Tag tag_of(Code code) {
  switch (code) {
    case Code::ok: return 0;
    case Code::busy: return 1;
    case Code::no_space: return 2;
    case Code::full: return 3;
    case Code::lost: return 4;
    case Code::in_doubt: return 5;
    case Code::fenced: return 6;
    case Code::invalid: return 7;
    case Code::denied: return 8;
    case Code::not_found: return 9;
    case Code::mismatch: return 10;
    case Code::unsupported: return 11;
    case Code::no_scheme: return 12;
    case Code::newer_schema: return 13;
    case Code::corrupt: return 14;
    case Code::native: return 15;
    case Code::internal: return 16;
  }
  return kNoTag;
}

constexpr Tag tag_of(driver::Verdict verdict) {
  switch (verdict) {
    case driver::Verdict::filtered: return 1;
    case driver::Verdict::expired: return 2;
    case driver::Verdict::dead: return 3;
    case driver::Verdict::nacked: return 4;
    case driver::Verdict::unseen: return 5;
  }
  return kNoTag;
}

constexpr Tag tag_of(driver::Verb verb) {
  switch (verb) {
    case driver::Verb::dead_requeue: return 1;
    case driver::Verb::dead_drop: return 2;
    case driver::Verb::seek: return 3;
    case driver::Verb::drop_group: return 4;
    case driver::Verb::trim: return 5;
  }
  return kNoTag;
}

constexpr Tag tag_of(driver::Event event) {
  switch (event) {
    case driver::Event::answer: return 1;
    case driver::Event::opened: return 2;
    case driver::Event::lost: return 3;
    case driver::Event::changed: return 4;
  }
  return kNoTag;
}

constexpr Tag tag_of(driver::Finding::Level level) {
  switch (level) {
    case driver::Finding::Level::ok: return 1;
    case driver::Finding::Level::warning: return 2;
    case driver::Finding::Level::error: return 3;
  }
  return kNoTag;
}

template <class T>
concept Tagged = std::is_enum_v<T> && requires(T value) {
  { tag_of(value) } -> std::same_as<Tag>;
};

/// False when no enumerator has the tag.
template <Tagged T>
constexpr bool from_tag(Tag tag, T& value) {
  if (tag == kNoTag) return false;
  // Enumerators count from 0 in all of them, and there are few.
  for (Tag number = 0; number < 32; ++number) {
    if (tag_of(static_cast<T>(number)) != tag) continue;
    value = static_cast<T>(number);
    return true;
  }
  return false;
}

/// Of each alternative of Operation; one that has none does not compile.
template <class Op>
inline constexpr Tag kOperationTag = kNoTag;
template <>
inline constexpr Tag kOperationTag<driver::Commit> = 1;
template <>
inline constexpr Tag kOperationTag<driver::OpenQueue> = 2;
template <>
inline constexpr Tag kOperationTag<driver::OpenStream> = 3;
template <>
inline constexpr Tag kOperationTag<driver::OpenGroup> = 4;
template <>
inline constexpr Tag kOperationTag<driver::ListPeers> = 5;
template <>
inline constexpr Tag kOperationTag<driver::Hold> = 6;
template <>
inline constexpr Tag kOperationTag<driver::Forget> = 7;
template <>
inline constexpr Tag kOperationTag<driver::ClaimNext> = 8;
template <>
inline constexpr Tag kOperationTag<driver::StopWaiting> = 9;
template <>
inline constexpr Tag kOperationTag<driver::Locate> = 10;
template <>
inline constexpr Tag kOperationTag<driver::Read> = 11;
template <>
inline constexpr Tag kOperationTag<driver::Beat> = 12;
template <>
inline constexpr Tag kOperationTag<driver::TakeOver> = 13;
template <>
inline constexpr Tag kOperationTag<driver::Tend> = 14;
template <>
inline constexpr Tag kOperationTag<driver::Steer> = 15;
template <>
inline constexpr Tag kOperationTag<driver::Inspect> = 16;
template <>
inline constexpr Tag kOperationTag<driver::Check> = 17;

}  // namespace vtx::remote
