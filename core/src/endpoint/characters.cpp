/* SPDX-License-Identifier: MPL-2.0 */
#include "endpoint/characters.hpp"

#include <array>
#include <cstdint>

namespace vtx {
namespace {

/// One shape of multi-byte sequence: bits of the first byte, length, and the least code point that may use it.
struct Shape {
  unsigned char mask, lead;
  std::size_t length;
  std::uint32_t least;
};
constexpr std::array<Shape, 3> kShapes{{{0xe0, 0xc0, 2, 0xa0}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}}};

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  if (byte(0) < 0x80) return 1;
  for (const Shape& shape : kShapes) {
    if ((byte(0) & shape.mask) != shape.lead) continue;
    if (text.size() - at < shape.length) return 0;
    std::uint32_t point = byte(0) & static_cast<unsigned char>(~shape.mask);
    for (std::size_t i = 1; i < shape.length; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return 0;
      point = point << 6 | (byte(i) & 0x3f);
    }
    const bool surrogate = point >= 0xd800 && point < 0xe000;
    return point >= shape.least && point <= 0x10ffff && !surrogate ? shape.length : 0;
  }
  return 0;
}

std::string percent_encoded(char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  return {'%', kDigits[byte >> 4], kDigits[byte & 15]};
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return out;
}

}  // namespace vtx
