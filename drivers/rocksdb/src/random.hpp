/* SPDX-License-Identifier: MPL-2.0 */
//
// Names that nobody else gives.
#pragma once

#include <random>
#include <string>

namespace vtx::rocks {

/// So many random bytes, as text.
inline std::string random_hex(int bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::random_device device;
  std::string text;
  for (int i = 0; i < bytes * 2; ++i) text += kDigits[device() & 15];
  return text;
}

}  // namespace vtx::rocks
