/* SPDX-License-Identifier: MPL-2.0 */
//
// A thread whose failure is its creator's.
#pragma once

#include <exception>
#include <thread>

namespace vtx::bench {

class Worker {
 public:
  template <class Work>
  explicit Worker(Work work)
      : thread_([this, work] {
          try {
            work();
          } catch (...) {
            failure_ = std::current_exception();
          }
        }) {}
  void join() {
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::exception_ptr failure_;
  std::jthread thread_;
};

}  // namespace vtx::bench
