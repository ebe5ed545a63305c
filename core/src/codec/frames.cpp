/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/frames.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace vtx {
namespace {

using driver::u32;
constexpr std::size_t kLength = 4;

u32 read_length(std::span<const std::byte> at) {
  u32 value = 0;
  for (std::size_t i = 0; i < kLength; ++i) value = value << 8 | std::to_integer<u32>(at[i]);
  return value;
}

void write_length(std::span<std::byte> at, u32 value) {
  for (std::size_t i = 0; i < kLength; ++i) at[i] = static_cast<std::byte>(value >> (24 - 8 * i));
}

bool split(std::span<const std::byte> body, u32 count, std::vector<Frame>& out) {
  for (u32 i = 0; i < count; ++i) {
    if (body.size() < kLength) return false;
    const std::size_t length = read_length(body);
    body = body.subspan(kLength);
    if (body.size() < length) return false;
    out.push_back(body.first(length));
    body = body.subspan(length);
  }
  return body.empty();
}

}  // namespace

std::optional<std::size_t> body_size(std::span<const Frame> frames) {
  if (frames.empty()) return std::nullopt;
  if (frames.size() == 1) return frames[0].size();
  std::size_t total = 0;
  for (const Frame frame : frames) {
    if (frame.size() > std::numeric_limits<u32>::max()) return std::nullopt;
    total += kLength + frame.size();
  }
  return total;
}

void encode_frames(std::span<const Frame> frames, std::span<std::byte> out) {
  assert(body_size(frames) == out.size());
  for (const Frame frame : frames) {
    if (frames.size() > 1) {
      write_length(out, static_cast<u32>(frame.size()));
      out = out.subspan(kLength);
    }
    std::copy(frame.begin(), frame.end(), out.begin());
    out = out.subspan(frame.size());
  }
}

bool decode_frames(std::span<const std::byte> body, u32 count, std::vector<Frame>& out) {
  out.clear();
  if (count == 1) {
    out.push_back(body);
    return true;
  }
  // `count` comes from the store as well: nothing is reserved by it.
  if (count > 1 && split(body, count, out)) return true;
  out.clear();
  return false;
}

Frame first_frame(std::span<const std::byte> body, u32 count) {
  if (count == 1) return body;
  if (count == 0 || body.size() < kLength) return {};
  const std::size_t length = read_length(body);
  body = body.subspan(kLength);
  return length <= body.size() ? body.first(length) : Frame{};
}

}  // namespace vtx
