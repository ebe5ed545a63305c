/* SPDX-License-Identifier: MPL-2.0 */
//
// A work queue: jobs are durable once they are flushed, a worker that fails gives its job back, and what fails again and again goes to the
// dead-letter queue. The two halves usually are two programs.
#include <vtx/drivers/sqlite.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vtx/vtx.hpp>

namespace {

const std::string kQueue = "sqlite:work.db?queue=jobs";

void send_jobs() {
  zmq::context_t context;
  vtx::instance vtx(context);
  vtx.add_driver("sqlite", vtx_sqlite_driver);
  vtx::socket push(vtx, zmq::socket_type::push);
  push.connect(kQueue);
  for (const char* job : {"resize 1.jpg", "resize 2.jpg", "resize nonsense", "resize 3.jpg"})
    push.send(zmq::buffer(std::string(job)), zmq::send_flags::none);
  vtx.flush(push);  // from here on they survive kill -9 and loss of power
}

void resize(const std::string& job) {
  if (job.find("nonsense") != std::string::npos) throw std::runtime_error("no such picture");
  std::printf("did    %s\n", job.c_str());
}

int work() {
  zmq::context_t context;
  vtx::instance vtx(context);
  vtx.add_driver("sqlite", vtx_sqlite_driver);
  vtx::socket pull(vtx, zmq::socket_type::pull);
  pull.set(zmq::sockopt::rcvtimeo, 2000);
  pull.connect(kQueue + "&ack=manual&max_deliveries=3");
  int done = 0;
  while (auto job = vtx::receive(pull)) {
    try {
      resize(job->message().to_string());
      job->ack();
      ++done;
    } catch (const std::runtime_error& failure) {
      std::printf("failed %s: %s\n", job->message().to_string().c_str(), failure.what());
      // Not acknowledged: the delivery's destructor gives it back.
    }
  }
  std::printf("dead   %s\n", vtx.admin(kQueue, "dead list").c_str());
  return done;
}

}  // namespace

int main() {
  std::filesystem::remove("work.db");
  send_jobs();
  return work() == 3 ? 0 : 1;
}
