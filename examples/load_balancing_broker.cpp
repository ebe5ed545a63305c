/* SPDX-License-Identifier: MPL-2.0 */
//
// The load-balancing broker of the ZeroMQ guide, durable: workers say that they are free, and get one request at a time. Requests and replies
// lie in the store, so clients, broker and workers may come, go and be restarted in any order. Usually each is a program of its own.
#include <vtx/drivers/sqlite.h>

#include <cstdio>
#include <deque>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>
#include <vtx/vtx.hpp>

namespace {

const std::string kFront = "sqlite:broker.db?queue=requests";
const std::string kBack = "sqlite:broker.db?queue=work";
using Frames = std::vector<std::string>;

vtx::socket make(vtx::instance& vtx, zmq::socket_type type) {
  vtx::socket socket(vtx, type);
  socket.set(zmq::sockopt::rcvtimeo, 10'000);
  return socket;
}

void send(vtx::socket& to, const Frames& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i)
    to.send(zmq::buffer(frames[i]), i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

Frames receive(vtx::socket& from) {
  Frames frames;
  zmq::message_t frame;
  do {
    if (!from.recv(frame)) return {};
    frames.push_back(frame.to_string());
  } while (frame.more());
  return frames;
}

void work(vtx::instance& vtx) {
  vtx::socket req = make(vtx, zmq::socket_type::req);
  req.connect(kBack);
  send(req, {"READY"});
  for (Frames job = receive(req); job.size() == 3; job = receive(req))  // client, empty, request
    send(req, {job[0], "", job[2] + ": done"});
}

int ask(vtx::instance& vtx, int count) {
  vtx::socket req = make(vtx, zmq::socket_type::req);
  req.connect(kFront);
  for (int i = 0; i < count; ++i) {
    send(req, {"task " + std::to_string(i)});
    const Frames reply = receive(req);
    if (reply != Frames{"task " + std::to_string(i) + ": done"}) return 1;
    std::printf("client   %s\n", reply[0].c_str());
  }
  return 0;
}

/// Hands each request to the worker that has been free for longest, until `count` are answered and the workers told to go.
void broker(vtx::instance& vtx, int count, std::size_t workers) {
  vtx::socket front = make(vtx, zmq::socket_type::router), back = make(vtx, zmq::socket_type::router);
  front.bind(kFront);
  back.bind(kBack);
  std::deque<std::string> idle;
  while (count > 0 || idle.size() < workers) {
    zmq::pollitem_t items[] = {{back.handle(), 0, ZMQ_POLLIN, 0}, {front.handle(), 0, ZMQ_POLLIN, 0}};
    zmq::poll(items, idle.empty() ? 1 : 2, std::chrono::seconds(10));
    if (const Frames told = items[0].revents != 0 ? receive(back) : Frames(); !told.empty()) {
      idle.push_back(told[0]);  // worker, empty, then READY, or client, empty, reply
      if (told.size() == 5) send(front, {told[2], "", told[4]}), --count;
    }
    if (idle.empty() || items[1].revents == 0) continue;
    const Frames request = receive(front);  // client, empty, request
    send(back, {idle.front(), "", request[0], "", request[2]});
    idle.pop_front();
  }
  for (const std::string& worker : idle) send(back, {worker, "", "go home"});
}

}  // namespace

int main() {
  std::filesystem::remove("broker.db");
  zmq::context_t context;
  vtx::instance vtx(context);
  vtx.add_driver("sqlite", vtx_sqlite_driver);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back([&] { work(vtx); });
  threads.emplace_back([&] { broker(vtx, 6, 2); });
  const int failed = ask(vtx, 6);
  for (auto& thread : threads) thread.join();
  return failed;
}
