/* SPDX-License-Identifier: MPL-2.0 */
//
// The body of a stored message. A message of one frame is that frame as it is, so that a person can read it in
// the database; several frames follow one another:
//
//   | length, u32 big-endian | bytes | length | bytes | …
//
// The number of frames is stored beside the body (driver::Message::frames).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "vtx/driver/operations.hpp"
#include "vtx/export.h"

namespace vtx {

using Frame = std::span<const std::byte>;

/// Bytes of the body that holds `frames`; nullopt when there is none, or when one of several has 4 GiB or more.
VTX_EXPORT std::optional<std::size_t> body_size(std::span<const Frame> frames);

/// Writes the body into `out`, which has exactly body_size() bytes.
VTX_EXPORT void encode_frames(std::span<const Frame> frames, std::span<std::byte> out);

/// Splits a body into its `count` frames: slices of `body`, empty ones included. False, with `out` empty, when the body is
/// damaged: a length that leads beyond the end, or another number of frames. Never reads outside of `body`.
[[nodiscard]] VTX_EXPORT bool decode_frames(std::span<const std::byte> body, driver::u32 count,
                                            std::vector<Frame>& out);

/// The first frame of a body of `count` frames; empty when the body is damaged.
VTX_EXPORT Frame first_frame(std::span<const std::byte> body, driver::u32 count);

}  // namespace vtx
