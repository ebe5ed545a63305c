/* SPDX-License-Identifier: MPL-2.0 */
//
// What an owner and who is attached say to each other. The wire is private to VTX: its authority is here and in fields.hpp.
//
//   frame     | length u32 | kind u8 | … |        length counts what follows it: 1..kMaxFrame
//
//   attached → owner                              owner → attached
//   hello     magic u64, protocol u32,            welcome   protocol u32, version text
//             version text, create u8,            refusal   code u8, native i32, text        and the end
//             device u64, inode u64
//   request   ticket u64, operation u8, fields    answer    fields of a Completion, events included
//   goodbye   and the end
//
// Magic, protocol and version stand at the same place in every protocol, and so does all of a refusal: whoever speaks another one can say so.
#pragma once

#include <cstdint>
#include <string>

#include "remote/bytes.hpp"
#include "remote/file_id.hpp"

namespace vtx::remote {

using driver::u32;
using driver::u64;

inline constexpr u64 kMagic = 0x45524f5453585456;  ///< "VTXSTORE"
/// Rises with every change of what stands in fields.hpp, tags.hpp or here.
inline constexpr u32 kProtocolVersion = 2;
/// No frame is longer. A message must be a little shorter than this.
inline constexpr std::size_t kMaxFrame = (std::size_t{1} << 30) + (std::size_t{1} << 20);

enum class Kind : std::uint8_t { hello = 1, welcome = 2, refusal = 3, request = 4, answer = 5, goodbye = 6 };

struct Hello {
  u64 magic = kMagic;
  u32 protocol = kProtocolVersion;
  std::string version;
  bool create = true;
  FileId database;  ///< which one is meant: its path may lead to another one than its owner has open
};

struct Welcome {
  u32 protocol = kProtocolVersion;
  std::string version;
};

struct Request {
  u64 ticket = 0;
  driver::Operation operation;  ///< its bodies and properties are slices of what it was read from
};

/// This library's, as "0.1.0".
std::string library_version();

// --- Each appends one frame; false, with `out` as it was, when that would be longer than kMaxFrame.
bool write(Bytes& out, const Hello& hello);
bool write(Bytes& out, const Welcome& welcome);
bool write_refusal(Bytes& out, const Status& status);
bool write(Bytes& out, u64 ticket, const driver::Operation& operation);
bool write(Bytes& out, const driver::Completion& completion);
bool write_goodbye(Bytes& out);

// --- Each reads what stands behind `kind`. False when it is no such thing from its first byte to its last.
/// Of another protocol only what every protocol has is read.
bool read(Slice in, Hello& hello);
bool read(Slice in, Welcome& welcome);
bool read_refusal(Slice in, Status& status);
/// Refuses also what no engine says, so that a store need not fear it: no ticket, a batch too large, an `only_if` that leads nowhere.
bool read(Slice in, Request& request);
/// Bodies and properties are copied into the completion's buffer, once.
bool read(Slice in, driver::Completion& completion);

}  // namespace vtx::remote
