/* SPDX-License-Identifier: MPL-2.0 */
//
// The C ABI: checks arguments, calls the manager, and turns a Status into errno and vtx_last_error(). No exception leaves here.
#include "vtx/vtx.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "bridge/reaper.hpp"
#include "endpoint/option_table.hpp"
#include "manager/manager.hpp"

struct vtx_t {
  static constexpr std::uint32_t kAlive = 0x56545831;  // tells an instance from a foreign or destroyed pointer

  vtx_t(void* context, pthread_t reaper) : manager(context, reaper) {}
  ~vtx_t() { tag = 0; }

  std::uint32_t tag = kAlive;
  vtx::Manager manager;
};

namespace {

using vtx::Code;
using vtx::Status;
using vtx::driver::Ms;

thread_local std::string last_error;

int report(const Status& status) {
  if (status.ok()) return 0;
  last_error = status.text();
  errno = status.code() == Code::native ? status.native() : vtx::to_errno(status.code());
  return -1;
}

int bad_argument(const char* what) {
  last_error = what;
  errno = EFAULT;
  return -1;
}

/// Runs `body`, which returns a Status, for a live instance; nothing is thrown past here.
template <class Body>
int guarded(vtx_t* vtx, Body body) {
  if (vtx == nullptr || vtx->tag != vtx_t::kAlive) return bad_argument("the VTX instance is NULL or was destroyed");
  try {
    return report(body(vtx->manager));
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
    errno = ENOMEM;
  } catch (const std::exception& error) {
    last_error = error.what();
    errno = EFAULT;
  }
  return -1;
}

Status make_socket(vtx::Manager& manager, int type, const vtx::Pattern* pattern, void*& socket) {
  socket = zmq_socket(manager.context(), type);
  if (socket == nullptr) {
    const int error = errno;
    return Status(Code::native, std::string("cannot make a socket: ") + zmq_strerror(error), error);
  }
  manager.begin(socket, pattern);
  return {};
}

int decide(vtx_t* vtx, zmq_msg_t* message, vtx::Outcome outcome, std::uint32_t delay_ms) {
  if (message == nullptr) return bad_argument("the message is NULL");
  return guarded(vtx, [&](vtx::Manager& manager) {
    switch (manager.batches().decide(zmq_msg_data(message), outcome, delay_ms)) {
      case vtx::BatchRegistry::Decided::done: return Status();
      case vtx::BatchRegistry::Decided::already:
        return Status(Code::fenced, "the message was settled or given back already, or its link has ended");
      case vtx::BatchRegistry::Decided::unknown: break;
    }
    return Status(Code::invalid,
                  "the message was not received from a VTX link of this instance, or was copied, or settled long ago");
  });
}

int decide(vtx_t* vtx, void* socket, const char* delivery_id, vtx::Outcome outcome, std::uint32_t delay_ms) {
  if (socket == nullptr || delivery_id == nullptr) return bad_argument("socket and delivery id must not be NULL");
  return guarded(vtx, [&](vtx::Manager& manager) { return manager.decide(socket, delivery_id, outcome, delay_ms); });
}

bool is_delay(int delay_ms) { return delay_ms >= 0 && static_cast<std::uint32_t>(delay_ms) <= vtx::Slot::kMaxDelayMs; }

int bad_delay(vtx_t* vtx) {
  return guarded(vtx,
                 [](vtx::Manager&) { return Status(Code::native, "the delay must lie between 0 and 6 days", ERANGE); });
}

}  // namespace

extern "C" {

void vtx_version(int* major, int* minor, int* patch) {
  if (major != nullptr) *major = VTX_VERSION_MAJOR;
  if (minor != nullptr) *minor = VTX_VERSION_MINOR;
  if (patch != nullptr) *patch = VTX_VERSION_PATCH;
}

const char* vtx_last_error(void) { return last_error.c_str(); }

vtx_t* vtx_new(void* zmq_context) {
  if (zmq_context == nullptr) {
    (void)bad_argument("the ZeroMQ context is NULL");
    return nullptr;
  }
  try {
    // Each link costs the context a socket. libzmq ignores this once a socket exists.
    const int most = zmq_ctx_get(zmq_context, ZMQ_SOCKET_LIMIT);
    if (most > 0) (void)zmq_ctx_set(zmq_context, ZMQ_MAX_SOCKETS, most);
    const auto reaper = vtx::find_reaper(zmq_context);
    if (!reaper) {
      (void)report(reaper.error());
      errno = EMFILE;
      return nullptr;
    }
    return new vtx_t(zmq_context, *reaper);
  } catch (const std::exception& error) {
    last_error = error.what();
    errno = ENOMEM;
    return nullptr;
  }
}

int vtx_destroy(vtx_t** vtx) {
  if (vtx == nullptr || *vtx == nullptr || (*vtx)->tag != vtx_t::kAlive) {
    return bad_argument("the VTX instance is NULL or was destroyed");
  }
  delete *vtx;
  *vtx = nullptr;
  return 0;
}

int vtx_register(vtx_t* vtx, const char* scheme, vtx_driver_fn driver) {
  if (scheme == nullptr || driver == nullptr) return bad_argument("scheme and driver must not be NULL");
  return guarded(vtx, [&](vtx::Manager& manager) { return manager.add_driver(scheme, driver()); });
}

int vtx_load(vtx_t* vtx, const char* path) {
  if (path == nullptr) return bad_argument("the plug-in's path is NULL");
  return guarded(vtx, [&](vtx::Manager& manager) { return manager.load(path); });
}

void* vtx_socket(vtx_t* vtx, int type) {
  void* socket = nullptr;
  (void)guarded(vtx, [&](vtx::Manager& manager) { return make_socket(manager, type, nullptr, socket); });
  return socket;
}

void* vtx_socket_pattern(vtx_t* vtx, const char* spec) {
  if (spec == nullptr) {
    (void)bad_argument("the pattern is NULL");
    return nullptr;
  }
  void* socket = nullptr;
  (void)guarded(vtx, [&](vtx::Manager& manager) {
    const auto pattern = manager.pattern(spec);
    return pattern ? make_socket(manager, (*pattern)->type, *pattern, socket) : pattern.error();
  });
  return socket;
}

int vtx_close(vtx_t* vtx, void* socket) {
  if (socket == nullptr) return bad_argument("the socket is NULL");
  return guarded(vtx, [&](vtx::Manager& manager) {
    manager.close(socket);
    if (zmq_close(socket) == 0) return Status();
    const int error = errno;
    return Status(Code::native, zmq_strerror(error), error);
  });
}

int vtx_bind(vtx_t* vtx, void* socket, const char* endpoint) {
  if (socket == nullptr || endpoint == nullptr) return bad_argument("socket and endpoint must not be NULL");
  return guarded(vtx, [&](vtx::Manager& manager) { return manager.link(socket, endpoint, true); });
}

int vtx_connect(vtx_t* vtx, void* socket, const char* endpoint) {
  if (socket == nullptr || endpoint == nullptr) return bad_argument("socket and endpoint must not be NULL");
  return guarded(vtx, [&](vtx::Manager& manager) { return manager.link(socket, endpoint, false); });
}

int vtx_unbind(vtx_t* vtx, void* socket, const char* endpoint) {
  if (socket == nullptr || endpoint == nullptr) return bad_argument("socket and endpoint must not be NULL");
  return guarded(vtx, [&](vtx::Manager& manager) { return manager.unlink(socket, endpoint, true); });
}

int vtx_disconnect(vtx_t* vtx, void* socket, const char* endpoint) {
  if (socket == nullptr || endpoint == nullptr) return bad_argument("socket and endpoint must not be NULL");
  return guarded(vtx, [&](vtx::Manager& manager) { return manager.unlink(socket, endpoint, false); });
}

int vtx_last_endpoint(vtx_t* vtx, void* socket, char* buffer, size_t size) {
  if (socket == nullptr || buffer == nullptr) return bad_argument("socket and buffer must not be NULL");
  return guarded(vtx, [&](vtx::Manager& manager) {
    const auto endpoint = manager.last_endpoint(socket);
    if (!endpoint) return endpoint.error();
    if (endpoint->size() >= size) {
      return Status(Code::invalid,
                    "the buffer is too small: " + std::to_string(endpoint->size() + 1) + " bytes are needed");
    }
    std::memcpy(buffer, endpoint->c_str(), endpoint->size() + 1);
    return Status();
  });
}

int vtx_flush(vtx_t* vtx, void* socket, int timeout_ms) {
  if (socket == nullptr) return bad_argument("the socket is NULL");
  return guarded(vtx, [&](vtx::Manager& manager) {
    Status status = manager.flush(socket, Ms(timeout_ms));
    if (status.code() == Code::busy) return Status(Code::native, status.text(), EAGAIN);
    if (status.code() == Code::fenced) return Status(Code::native, status.text(), ECANCELED);
    return status;
  });
}

int vtx_ack(vtx_t* vtx, zmq_msg_t* message) { return decide(vtx, message, vtx::Outcome::acked, 0); }

int vtx_nack(vtx_t* vtx, zmq_msg_t* message, int delay_ms) {
  if (!is_delay(delay_ms)) return bad_delay(vtx);
  return decide(vtx, message, vtx::Outcome::nacked, static_cast<std::uint32_t>(delay_ms));
}

int vtx_ack_id(vtx_t* vtx, void* socket, const char* delivery_id) {
  return decide(vtx, socket, delivery_id, vtx::Outcome::acked, 0);
}

int vtx_nack_id(vtx_t* vtx, void* socket, const char* delivery_id, int delay_ms) {
  if (!is_delay(delay_ms)) return bad_delay(vtx);
  return decide(vtx, socket, delivery_id, vtx::Outcome::nacked, static_cast<std::uint32_t>(delay_ms));
}

int vtx_monitor(vtx_t* vtx, void* socket, const char* address, int events) {
  if (socket == nullptr) return bad_argument("the socket is NULL");
  return guarded(vtx, [&](vtx::Manager& manager) {
    Status status = manager.monitor(socket, address, events);
    if (status.code() == Code::busy) return Status(Code::native, status.text(), EADDRINUSE);
    return status;
  });
}

int vtx_stats(vtx_t* vtx, void* socket, const char* endpoint, vtx_stats_t* stats) {
  if (socket == nullptr || stats == nullptr) return bad_argument("socket and stats must not be NULL");
  return guarded(vtx, [&](vtx::Manager& manager) {
    if (stats->struct_size < sizeof(vtx_stats_t))
      return Status(Code::invalid, "set struct_size to sizeof (vtx_stats_t)");
    vtx_stats_t sum{};
    sum.struct_size = sizeof sum;
    Status status = manager.stats(socket, endpoint, sum);
    if (status.ok()) *stats = sum;
    return status;
  });
}

int vtx_admin(vtx_t* vtx, const char* endpoint, const char* command, int timeout_ms, char** json) {
  if (endpoint == nullptr || command == nullptr || json == nullptr)
    return bad_argument("endpoint, command and json must not be NULL");
  return guarded(vtx, [&](vtx::Manager& manager) {
    const auto answer = manager.admin(endpoint, command, Ms(timeout_ms));
    if (!answer) {
      return answer.error().code() == Code::busy ? Status(Code::native, answer.error().text(), EAGAIN) : answer.error();
    }
    *json = ::strdup(answer->c_str());
    if (*json == nullptr) throw std::bad_alloc();
    return Status();
  });
}

const char* vtx_endpoint_options(void) {
  try {
    return vtx::option_table_as_json().c_str();
  } catch (const std::exception&) {
    return "[]";  // no memory for it
  }
}

void vtx_free(void* memory) { std::free(memory); }

}  // extern "C"
