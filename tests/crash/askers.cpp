/* SPDX-License-Identifier: MPL-2.0 */
//
// Anonymous askers, one after the other: each has a mailbox, a name and a watermark of its own, and none of it stays.
#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "campaigns.hpp"
#include "support.hpp"

namespace vtx::crash {
namespace {

void answer_all(const std::string& endpoint, const std::atomic<bool>& done) {
  Station worker(ZMQ_REP, endpoint, true);
  char text[16];
  while (!done) {
    const int size = zmq_recv(worker.socket, text, sizeof text, 0);
    if (size >= 0) zmq_send(worker.socket, text, static_cast<std::size_t>(size), 0);
  }
}

/// The answer to one question, by a socket that lives no longer.
std::string ask_once(vtx_t* vtx, const std::string& endpoint, const std::string& question) {
  void* socket = vtx_socket(vtx, ZMQ_REQ);
  if (socket == nullptr || vtx_connect(vtx, socket, endpoint.c_str()) != 0) die("cannot link an asker");
  const int patience = static_cast<int>(kDrainWithin.count());
  zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
  zmq_send(socket, question.data(), question.size(), 0);
  char text[16];
  const int size = zmq_recv(socket, text, sizeof text, 0);
  vtx_close(vtx, socket);
  return size < 0 ? "nothing" : std::string(text, static_cast<std::size_t>(size));
}

}  // namespace

int askers_campaign(int count) {
  const Directory directory;
  const std::string file = directory / "q.db";
  const std::string endpoint = "sqlite://" + file + "?queue=jobs";
  {
    std::atomic<bool> done{false};
    std::thread worker([&] { answer_all(endpoint, done); });
    // Keeps the database open, as it would be: an asker's end must not depend on the end of its instance.
    Station anchor(ZMQ_PULL, endpoint + "&retain=consumed");
    for (int i = 0; i < count; ++i) {
      const std::string question = std::to_string(i);
      check(ask_once(anchor.vtx, endpoint, question) == question, "a wrong answer to " + question);
    }
    Operator watcher(endpoint);
    check(watcher.drain(), "requests are left: " + watcher.show());
    const auto left = [&] {
      return ask_database(
          file,
          "SELECT (SELECT count(*) FROM vtx_stream WHERE kind = 'mailbox') || ' mailboxes, '"
          " || (SELECT count(*) FROM vtx_group WHERE kind = 'mailbox') || ' groups, '"
          " || (SELECT count(*) FROM vtx_cursor WHERE grp NOT IN (SELECT id FROM vtx_group)) || ' cursors, '"
          " || (SELECT count(*) FROM vtx_claim) || ' claims, ' || (SELECT count(*) FROM vtx_retry) || ' retries, '"
          " || (SELECT count(*) FROM vtx_hold) || ' names, ' || (SELECT count(*) - 1 FROM vtx_producer) || ' "
          "watermarks, '"
          " || (SELECT count(*) FROM vtx_message) || ' messages'");
    };
    const std::string nothing =
        "0 mailboxes, 0 groups, 0 cursors, 0 claims, 0 retries, 0 names, 0 watermarks, 0 messages";  // the worker's is its own
    const auto deadline = Clock::now() + kDrainWithin;
    while (left() != nothing && Clock::now() < deadline) std::this_thread::sleep_for(milliseconds(20));
    fmt::print("{} askers left {}\n", count, left());
    check(left() == nothing, "something is left behind");
    done = true;
    worker.join();
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace vtx::crash
