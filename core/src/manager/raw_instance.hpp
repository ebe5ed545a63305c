/* SPDX-License-Identifier: MPL-2.0 */
//
// The raw door, as in the original VTX: the driver is a thread function that is given a control socket and may do anything.
// The protocol of the control socket stands in vtx/driver/driver.h.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "manager/instance.hpp"

namespace vtx {

class RawInstance final : public Instance {
 public:
  RawInstance(void* zmq_context, void (*run)(void*, void*), std::function<void(LinkId)> on_ended);
  ~RawInstance() override;

  Result<std::vector<std::string>> open(LinkId id, LinkRequest request) override;
  void close(LinkId id, void* socket, int linger_ms, bool socket_stays) override;
  Status flush(LinkId id, driver::Ms timeout) override;
  bool decide(LinkId, const std::string&, Outcome, std::uint32_t) override { return false; }
  bool add_stats(LinkId id, vtx_stats_t& stats) override;
  void shut_down() override;

 private:
  Status request(const std::vector<std::string>& frames, driver::Ms timeout);

  void* const context_;
  const std::function<void(LinkId)> on_ended_;
  std::mutex mutex_;  // one question at a time on the control socket
  void* control_ = nullptr;
  void* driver_end_ = nullptr;
  std::map<LinkId, std::string> addresses_;
  std::thread thread_;
};

}  // namespace vtx
