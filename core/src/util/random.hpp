/* SPDX-License-Identifier: MPL-2.0 */
//
// Random bytes of the kernel, for names that nobody else may have.
#pragma once

#include <sys/random.h>

#include <array>
#include <cstddef>

namespace vtx {

template <std::size_t N>
std::array<std::byte, N> random_bytes() {
  std::array<std::byte, N> bytes{};
  std::size_t filled = 0;
  while (filled < N) {
    const ssize_t got = ::getrandom(bytes.data() + filled, N - filled, 0);
    if (got > 0) filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace vtx
