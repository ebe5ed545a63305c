/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/raw_instance.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>

#include "bridge/reaper.hpp"
#include "util/quiet_thread.hpp"

namespace vtx {

namespace {

constexpr driver::Ms kAnswerWithin{5000};

bool send_frames(void* socket, const std::vector<std::string>& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
    if (zmq_send(socket, frames[i].data(), frames[i].size(), more) < 0) return false;
  }
  return true;
}

/// One answer of the driver, within the socket's receive time-out; empty when none came.
std::vector<std::string> receive_frames(void* socket) {
  std::vector<std::string> frames;
  bool more = true;
  while (more) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    if (zmq_msg_recv(&frame, socket, 0) < 0) {
      zmq_msg_close(&frame);
      return {};
    }
    frames.emplace_back(static_cast<const char*>(zmq_msg_data(&frame)), zmq_msg_size(&frame));
    more = zmq_msg_more(&frame) != 0;
    zmq_msg_close(&frame);
  }
  return frames;
}

}  // namespace

RawInstance::RawInstance(void* zmq_context, void (*run)(void*, void*), std::function<void(LinkId)> on_ended)
    : context_(zmq_context), on_ended_(std::move(on_ended)) {
  control_ = zmq_socket(context_, ZMQ_PAIR);
  driver_end_ = zmq_socket(context_, ZMQ_PAIR);
  const std::string address = unique_inproc("control");
  const int linger = 0;
  if (control_ == nullptr || driver_end_ == nullptr ||
      zmq_setsockopt(control_, ZMQ_LINGER, &linger, sizeof linger) != 0 || zmq_bind(control_, address.c_str()) != 0 ||
      zmq_connect(driver_end_, address.c_str()) != 0) {
    return;  // every request fails, and says so
  }
  thread_ = quiet_thread([run, context = context_, end = driver_end_] {
    run(context, end);
    zmq_close(end);
  });
}

RawInstance::~RawInstance() {
  shut_down();
  if (thread_.joinable()) {
    thread_.join();
  } else if (driver_end_ != nullptr) {
    zmq_close(driver_end_);
  }
  if (control_ != nullptr) zmq_close(control_);
}

Status RawInstance::request(const std::vector<std::string>& frames, driver::Ms timeout) {
  const std::lock_guard lock(mutex_);
  if (!thread_.joinable()) return Status(Code::no_space, "the driver has no control socket: raise ZMQ_MAX_SOCKETS");
  const int within = timeout.count() < 0 ? -1 : static_cast<int>(timeout.count());
  zmq_setsockopt(control_, ZMQ_RCVTIMEO, &within, sizeof within);
  if (!send_frames(control_, frames))
    return Status(Code::native, "the driver's control socket does not take requests", errno);
  for (;;) {
    const auto answer = receive_frames(control_);
    if (answer.empty()) return Status(Code::busy, fmt::format("the driver did not answer {} in time", frames[0]));
    if (answer.size() != 4 || answer[0] != frames[0] || answer[1] != frames[1])
      continue;  // of a request given up earlier
    int error = EPROTO;
    std::from_chars(answer[2].data(), answer[2].data() + answer[2].size(), error);
    return error == 0 ? Status() : Status(Code::native, answer[3], error);
  }
}

Result<std::vector<std::string>> RawInstance::open(LinkId id, LinkRequest link) {
  const std::string address = unique_inproc("raw");
  if (zmq_bind(link.socket, address.c_str()) != 0) {
    return fail(Code::native, fmt::format("cannot join the socket to its link: {}", zmq_strerror(errno)), errno);
  }
  Status status = request({"ATTACH", std::to_string(id), std::to_string(link.pattern->type),
                           link.bind ? "bind" : "connect", link.endpoint.address.text, address},
                          kAnswerWithin);
  if (!status.ok()) {
    (void)zmq_unbind(link.socket, address.c_str());
    return tl::unexpected<Status>(status);
  }
  const std::lock_guard lock(mutex_);
  addresses_[id] = address;
  return std::vector{address};
}

void RawInstance::close(LinkId id, void* socket, int linger_ms, bool) {
  std::string address;
  {
    const std::lock_guard lock(mutex_);
    const auto found = addresses_.find(id);
    if (found == addresses_.end()) return;
    address = found->second;
    addresses_.erase(found);
  }
  (void)zmq_unbind(socket, address.c_str());
  (void)request({"DETACH", std::to_string(id)}, driver::Ms(linger_ms));
  on_ended_(id);
}

Status RawInstance::flush(LinkId id, driver::Ms timeout) { return request({"FLUSH", std::to_string(id)}, timeout); }

bool RawInstance::add_stats(LinkId id, vtx_stats_t& stats) {
  const std::lock_guard lock(mutex_);
  if (!addresses_.contains(id)) return false;
  ++stats.links;
  stats.state = VTX_STATE_LIVE;
  return true;
}

void RawInstance::shut_down() {
  const std::lock_guard lock(mutex_);
  if (thread_.joinable()) (void)send_frames(control_, {"STOP"});
}

}  // namespace vtx
