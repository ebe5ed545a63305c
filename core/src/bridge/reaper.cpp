/* SPDX-License-Identifier: MPL-2.0 */
#include "bridge/reaper.hpp"

#include <unistd.h>
#include <zmq.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

namespace vtx {

std::string unique_inproc(const char* what) {
  static std::atomic<unsigned long> count{0};
  static const char here = 0;  // tells two copies of this library in one process apart
  return "inproc://vtx." + std::string(what) + "." + std::to_string(reinterpret_cast<std::uintptr_t>(&here)) + "." +
         std::to_string(++count);
}

bool probe_reaper(void* zmq_context, std::function<void()> done) {
  void* reader = zmq_socket(zmq_context, ZMQ_PAIR);
  void* writer = zmq_socket(zmq_context, ZMQ_PAIR);
  const std::string address = unique_inproc("probe");
  bool sent = false;
  if (reader != nullptr && writer != nullptr && zmq_bind(reader, address.c_str()) == 0 &&
      zmq_connect(writer, address.c_str()) == 0) {
    const int linger = -1;
    zmq_setsockopt(writer, ZMQ_LINGER, &linger, sizeof linger);
    auto callback = std::make_unique<std::function<void()>>(std::move(done));
    zmq_msg_t message;
    static char byte = 0;
    const auto on_free = [](void*, void* hint) {
      const std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(hint));
      (*owned)();
    };
    if (zmq_msg_init_data(&message, &byte, 1, on_free, callback.get()) == 0) {
      if (zmq_msg_send(&message, writer, ZMQ_DONTWAIT) >= 0) {
        sent = true;
        (void)callback.release();
      } else {
        // Not sent: the callback must not run here, where it would name this thread as the reaper.
        *callback = [] {};
        (void)callback.release();
        zmq_msg_close(&message);
      }
    }
  }
  if (reader != nullptr) zmq_close(reader);
  if (writer != nullptr) zmq_close(writer);
  return sent;
}

Result<pthread_t> find_reaper(void* zmq_context) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable arrived;
    bool known = false;
    pthread_t thread{};
  };
  // Shared with the callback, which may still be on its way out when we have read the answer.
  const auto answer = std::make_shared<Answer>();
  const bool sent = probe_reaper(zmq_context, [answer] {
    const std::lock_guard lock(answer->mutex);
    answer->thread = pthread_self();
    answer->known = true;
    answer->arrived.notify_all();
  });
  if (!sent)
    return fail(Code::no_space, "the ZeroMQ context has no socket left: raise ZMQ_MAX_SOCKETS before its first socket",
                errno);
  std::unique_lock lock(answer->mutex);
  answer->arrived.wait(lock, [&] { return answer->known; });
  return answer->thread;
}

}  // namespace vtx
