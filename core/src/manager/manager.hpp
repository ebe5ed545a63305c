/* SPDX-License-Identifier: MPL-2.0 */
//
// One VTX instance: the schemes it knows, the driver instances behind them, and which links a socket has.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bridge/batch_registry.hpp"
#include "manager/instance.hpp"
#include "manager/monitor.hpp"
#include "manager/store_instance.hpp"
#include "pattern/dynamic.hpp"
#include "vtx/vtx.h"

namespace vtx {

/// Thread-safe; calls that name a socket come from that socket's thread. No lock is held while a driver is asked.
class Manager {
 public:
  Manager(void* zmq_context, pthread_t reaper);
  ~Manager();

  Status add_driver(const std::string& scheme, const vtx_driver_t* driver);
  Status load(const char* path);

  void* context() const { return context_; }
  /// A socket that was just made: what is known of an earlier one at its address does not concern it.
  /// @param pattern  what its links do, from pattern(); nullptr: as its type says
  void begin(void* socket, const Pattern* pattern = nullptr);
  /// The pattern that a text describes. It lives as long as this.
  Result<const Pattern*> pattern(const std::string& spec);
  Status monitor(void* socket, const char* address, int events);
  Status link(void* socket, const char* endpoint, bool bind);
  Status unlink(void* socket, const char* endpoint, bool bind);
  Result<std::string> last_endpoint(void* socket);
  /// Ends all links of a socket that is about to be closed.
  void close(void* socket);

  Status flush(void* socket, driver::Ms timeout);
  Status decide(void* socket, const std::string& delivery_id, Outcome outcome, std::uint32_t delay_ms);
  BatchRegistry& batches() { return batches_; }
  Status stats(void* socket, const char* endpoint, vtx_stats_t& stats);
  Result<std::string> admin(const char* endpoint, const char* command, driver::Ms timeout);

 private:
  struct Scheme {
    const vtx_driver_t* driver = nullptr;
    std::vector<std::string> options;
    std::unique_ptr<Instance> instance;  ///< made with the first link
    StoreInstance* store = nullptr;      ///< the same, when it is a store's
  };
  struct Record {
    SocketId socket = 0;
    std::string endpoint;  ///< as it was given
    std::string address;   ///< inproc, by which the socket is joined
    Instance* instance = nullptr;
    bool unlinked = false;  ///< ended by vtx_unbind or vtx_disconnect: the socket goes on
  };

  Schemes schemes() const;
  Result<Scheme*> scheme_for(const std::string& name);
  Result<LinkRequest> request_for(void* socket, const Pattern& pattern, const char* endpoint, bool bind) const;
  std::vector<std::pair<Instance::LinkId, Record>> records_of(void* socket, const char* endpoint) const;
  void on_ended(Instance::LinkId id, bool joined);
  SocketId id_of(void* socket);
  const Pattern* pattern_of_socket(void* socket, int type) const;

  void* const context_;
  const pthread_t reaper_;
  BatchRegistry batches_;
  Monitors monitors_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Scheme> schemes_;
  std::map<Instance::LinkId, Record> records_;
  struct Socket {
    SocketId id = 0;
    const Pattern* pattern = nullptr;  ///< another than its type's
  };
  std::map<void*, Socket> sockets_;                                  ///< those that VTX has to do with
  std::map<std::string, std::unique_ptr<DynamicPattern>> patterns_;  ///< by their texts
  SocketId last_socket_ = 0;
  Instance::LinkId last_id_ = 0;
};

}  // namespace vtx
