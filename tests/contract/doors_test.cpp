/* SPDX-License-Identifier: MPL-2.0 */
//
// The doors for drivers: a driver by the raw one, written as somebody else would, and what vtx_register and vtx_load refuse.
#include <atomic>
#include <map>

#include "contract/link_world.hpp"
#include "support/memory_store.hpp"

namespace vtx::test {
namespace {

// --- a driver: every message comes back, followed by one frame that names the endpoint -------------------------------

std::atomic<int> running{0};

Frames read_all(void* socket, int flags) {
  Frames frames;
  for (bool more = true; more;) {
    Message frame;
    if (zmq_msg_recv(frame.get(), socket, flags) < 0) return {};
    frames.push_back(frame.text());
    more = frame.more();
  }
  return frames;
}

void write_all(void* socket, const Frames& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    zmq_send(socket, frames[i].data(), frames[i].size(), i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
  }
}

class EchoDriver {
 public:
  EchoDriver(void* context, void* control) : context_(context), control_(control) { ++running; }
  ~EchoDriver() {
    for (auto& [id, link] : links_) zmq_close(link.socket);
    --running;
  }
  void run() {
    for (bool going = true; going;) {
      std::vector<zmq_pollitem_t> items{{control_, 0, ZMQ_POLLIN, 0}};
      for (auto& [id, link] : links_) items.push_back({link.socket, 0, ZMQ_POLLIN, 0});
      if (zmq_poll(items.data(), static_cast<int>(items.size()), -1) < 0) return;
      for (auto& [id, link] : links_) echo(link);
      if (items[0].revents != 0) going = obey(read_all(control_, 0));
    }
  }

 private:
  struct Link {
    void* socket = nullptr;
    std::string endpoint;
  };
  static void echo(const Link& link) {
    for (Frames frames = read_all(link.socket, ZMQ_DONTWAIT); !frames.empty();
         frames = read_all(link.socket, ZMQ_DONTWAIT)) {
      frames.push_back(link.endpoint);
      write_all(link.socket, frames);
    }
  }
  bool obey(const Frames& request) {
    const std::string& verb = request.at(0);
    if (verb == "STOP") return false;
    const std::string& id = request.at(1);
    if (verb == "ATTACH") {
      if (std::stoi(request.at(2)) != ZMQ_DEALER) {
        write_all(control_, {verb, id, std::to_string(ENOTSUP), "echo: speaks with DEALER only"});
        return true;
      }
      void* socket = zmq_socket(context_, ZMQ_DEALER);
      zmq_connect(socket, request.at(5).c_str());
      links_[id] = {socket, request.at(3) + ' ' + request.at(4)};
    } else if (verb == "DETACH") {
      zmq_close(links_.at(id).socket);
      links_.erase(id);
    }
    write_all(control_, {verb, id, "0", ""});
    return true;
  }

  void* context_;
  void* control_;
  std::map<std::string, Link> links_;
};

void run_echo(void* context, void* control) { EchoDriver(context, control).run(); }

const vtx_driver_t* echo_driver() {
  static const char* const options[] = {"volume", nullptr};
  static const vtx_driver_t table{VTX_DRIVER_ABI_VERSION, sizeof(vtx_driver_t), options, run_echo, nullptr, nullptr};
  return &table;
}

TEST(RawDoor, CarriesMessagesBothWays) {
  {
    World world("echo", echo_driver);
    Socket first(world, ZMQ_DEALER);
    Socket second(world, ZMQ_DEALER);
    first.bind("echo:cave?volume=3");
    second.connect("echo:wood");
    first.send(Frames{"a", ""});
    second.send("b");
    EXPECT_EQ(first.receive_frames(), (Frames{"a", "", "bind echo:cave?volume=3"}));
    EXPECT_EQ(second.receive_frames(), (Frames{"b", "connect echo:wood"}));
    first.flush();
    EXPECT_EQ(first.stats().links, 1U);
    EXPECT_EQ(running, 1) << "one instance is one thread";
    second.disconnect("echo:wood");
    EXPECT_FALSE(second.has_link());
  }
  EXPECT_EQ(running, 0) << "STOP ends it";
}

TEST(RawDoor, RefusalOfTheDriverIsTheCallers) {
  World world("echo", echo_driver);
  Socket pub(world, ZMQ_PUB);
  EXPECT_EQ(vtx_bind(world.vtx(), pub.get(), "echo:x"), -1);
  EXPECT_EQ(errno, ENOTSUP);
  EXPECT_STREQ(vtx_last_error(), "echo: speaks with DEALER only");
  EXPECT_FALSE(pub.has_link());
  Socket dealer(world, ZMQ_DEALER);
  EXPECT_EQ(vtx_bind(world.vtx(), dealer.get(), "echo:x?volumen=3"), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_NE(std::string(vtx_last_error()).find("'volume'"), std::string::npos) << vtx_last_error();
  char* json = nullptr;
  EXPECT_EQ(vtx_admin(world.vtx(), "echo:x", "show", 1000, &json), -1);
  EXPECT_EQ(errno, ENOTSUP);
}

TEST(Register, RefusesBadSchemesAndTables) {
  World world("memory", vtx_memory_driver);
  const auto refused = [&](const char* scheme, vtx_driver_fn driver) {
    errno = 0;
    EXPECT_EQ(vtx_register(world.vtx(), scheme, driver), -1) << scheme;
    EXPECT_STRNE(vtx_last_error(), "");
    return errno;
  };
  for (const char* scheme : {"", "Memory", "1x", "a_b", "a b", "a:"})
    EXPECT_EQ(refused(scheme, vtx_memory_driver), EINVAL);
  for (const char* scheme : {"memory", "tcp", "inproc", "ipc"}) EXPECT_EQ(refused(scheme, vtx_memory_driver), EEXIST);
  EXPECT_EQ(refused("x", nullptr), EFAULT);
  EXPECT_EQ(refused("x", []() -> const vtx_driver_t* { return nullptr; }), EINVAL);
  static vtx_driver_t table;
  const auto give = []() -> const vtx_driver_t* { return &table; };
  table = *echo_driver();
  table.abi_version = 99;
  EXPECT_EQ(refused("x", give), ENOTSUP);
  table = *echo_driver();
  table.struct_size = 8;
  EXPECT_EQ(refused("x", give), EINVAL);
  table = *echo_driver();
  table.store = vtx_memory_driver()->store;
  EXPECT_EQ(refused("x", give), EINVAL) << "two doors";
  table.store = nullptr;
  table.run = nullptr;
  EXPECT_EQ(refused("x", give), EINVAL) << "no door";
  EXPECT_EQ(vtx_register(world.vtx(), "x", echo_driver), 0) << vtx_last_error();
  EXPECT_EQ(vtx_register(world.vtx(), "memory2", vtx_memory_driver), 0) << "a second thread for the same driver";
}

TEST(Load, RefusesWhatIsNoPlugin) {
  World world("memory", vtx_memory_driver);
  EXPECT_EQ(vtx_load(world.vtx(), "/nowhere/plugin.so"), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_NE(std::string(vtx_last_error()).find("/nowhere/plugin.so"), std::string::npos);
  EXPECT_EQ(vtx_load(world.vtx(), "libc.so.6"), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(vtx_load(world.vtx(), nullptr), -1);
  EXPECT_EQ(errno, EFAULT);
}

}  // namespace
}  // namespace vtx::test
