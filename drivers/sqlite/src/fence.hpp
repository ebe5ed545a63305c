/* SPDX-License-Identifier: MPL-2.0 */
//
// A full memory fence. ThreadSanitizer knows none, and GCC warns of that: built for it, an atomic addition stands in, which is as much on the
// machines that it runs on.
#pragma once

#include <atomic>

namespace vtx::sqlite {

inline void full_fence() {
#ifdef __SANITIZE_THREAD__
  static std::atomic<int> nothing{0};
  nothing.fetch_add(1, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace vtx::sqlite
